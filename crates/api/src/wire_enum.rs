//! What all generated enumerations can do, given `ALL` and `as_str`.

use std::fmt;

/// A text that is none of an enumeration's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownValue {
    /// The text.
    pub value: String,
    /// The values that there are.
    pub expected: Vec<&'static str>,
}

impl fmt::Display for UnknownValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is none of {}", self.value, self.expected.join(", "))
    }
}

impl std::error::Error for UnknownValue {}

macro_rules! wire_enum {
    ($name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownValue;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text).ok_or_else(|| $crate::UnknownValue {
                    value: text.to_owned(),
                    expected: Self::ALL.iter().map(|value| value.as_str()).collect(),
                })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use wire_enum;

#[cfg(test)]
mod tests {
    use crate::types::{DeploymentStatus, ListServiceInstancesSortBy};

    #[test]
    fn an_enumeration_is_its_wire_string_everywhere() {
        for value in DeploymentStatus::ALL {
            assert_eq!(value.as_str().parse(), Ok(*value));
            assert_eq!(value.to_string(), value.as_str());
            assert_eq!(serde_json::to_value(value).unwrap(), value.as_str());
            assert_eq!(serde_json::from_value::<DeploymentStatus>(value.as_str().into()).unwrap(), *value);
        }
        assert_eq!(DeploymentStatus::InProgress.as_str(), "IN_PROGRESS");
        assert_eq!(ListServiceInstancesSortBy::LastDeploymentAttemptedAt.as_str(), "lastDeploymentAttemptedAt");
    }

    #[test]
    fn an_unknown_value_is_refused_with_the_values_that_there_are() {
        let error = "in_progress".parse::<crate::types::ResourceDeploymentStatus>().unwrap_err();
        assert_eq!(error.to_string(), "\"in_progress\" is none of IN_PROGRESS, FAILED, SUCCEEDED");
        assert!(serde_json::from_str::<DeploymentStatus>("\"DONE\"").is_err());
    }
}
