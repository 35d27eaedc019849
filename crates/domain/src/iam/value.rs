//! Values that conditions compare: numbers, dates, networks.

mod date;
mod decimal;
mod network;

pub(super) use date::parse as parse_date;
pub(super) use decimal::Decimal;
pub(super) use network::{Network, parse_address};
