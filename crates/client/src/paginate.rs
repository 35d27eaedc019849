//! Results that come in pages.

use protium_api::Call;

use crate::{Client, Error};

/// The input of an operation whose results come in pages.
pub trait Paginated: Call + Clone {
    /// One result.
    type Item: Send;

    /// Asks for the page that the token names.
    fn set_token(&mut self, token: String);

    /// The results of a page, and the token of the next.
    fn split(output: Self::Output) -> (Vec<Self::Item>, Option<String>);
}

/// The pages of one list, fetched as they are asked for.
#[derive(Debug)]
pub struct Pages<'a, C> {
    client: &'a Client,
    next: Option<C>,
    token: Option<String>,
}

impl Client {
    /// The pages of what the input asks for, from the page whose token it has.
    pub fn paginate<C: Paginated>(&self, input: C) -> Pages<'_, C> {
        Pages { client: self, next: Some(input), token: None }
    }
}

impl<C: Paginated> Pages<'_, C> {
    /// The next page, `None` after the last. An error ends the pages.
    pub async fn next(&mut self) -> Option<Result<Vec<C::Item>, Error>> {
        let mut input = self.next.take()?;
        let (items, token) = match self.client.call(&input).await {
            Ok(output) => C::split(output),
            Err(error) => return Some(Err(error)),
        };
        // An empty token ends the list too.
        if let Some(token) = token.filter(|token| !token.is_empty()) {
            if self.token.as_ref() == Some(&token) {
                let why = "it has the same nextToken as the page before".to_owned();
                return Some(Err(Error::Answer { operation: C::OPERATION.name(), request_id: None, why }));
            }
            input.set_token(token.clone());
            self.token = Some(token);
            self.next = Some(input);
        }
        Some(Ok(items))
    }

    /// All results of the remaining pages.
    ///
    /// # Errors
    /// The first error of a page.
    pub async fn all(mut self) -> Result<Vec<C::Item>, Error> {
        let mut all = Vec::new();
        while let Some(page) = self.next().await {
            all.append(&mut page?);
        }
        Ok(all)
    }
}
