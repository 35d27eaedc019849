//! The template that CloudFormation is given: inline, or through a bucket when it is too long.

use sha2::{Digest, Sha256};

use super::stack::Target;
use crate::aws::{Bucket, Fault, Refusal};
use crate::{Order, Transient};

/// CloudFormation takes a body of this many bytes; longer ones by the address of an S3 object only.
const INLINE_LIMIT: usize = 51_200;
/// And of that object this many.
const LIMIT: usize = 1_048_576;

/// A bucket that the roles which provision may write to and read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateBucket {
    /// Its name.
    pub name: String,
    /// Where it is; without one, the region of the order.
    pub region: Option<String>,
}

/// The argument of a create or update: exactly one of the two.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) body: Option<String>,
    pub(super) url: Option<String>,
}

impl Target<'_> {
    /// The template of the order, uploaded if it has to be. The object's name follows from its
    /// content, so a repeated step writes the same object.
    pub(super) async fn template(&self) -> Result<Template, Fault> {
        let text = main_file(self.order).map_err(refused)?;
        if text.len() <= INLINE_LIMIT {
            return Ok(Template { body: Some(text.to_owned()), url: None });
        }
        if text.len() > LIMIT {
            return Err(refused(format!(
                "The rendered template has {} bytes; CloudFormation takes at most {LIMIT}.",
                text.len()
            )));
        }
        let Some(bucket) = self.bucket else {
            return Err(refused(format!(
                "The rendered template has {} bytes; CloudFormation takes at most {INLINE_LIMIT} inline. \
                 Name a bucket for longer ones with --aws-template-bucket.",
                text.len()
            )));
        };
        let key = format!("protium/templates/{}.template", hex::encode(Sha256::digest(text.as_bytes())));
        self.upload(bucket, &key, text).await?;
        Ok(Template { body: None, url: Some(self.url(bucket, &key)) })
    }

    async fn upload(&self, bucket: &TemplateBucket, key: &str, text: &str) -> Result<(), Fault> {
        let region = bucket.region.as_deref().unwrap_or(&self.order.region);
        let put = async {
            let bucket = Bucket::open(self.aws, region, &self.credentials, &bucket.name)?;
            bucket.put(key, text.as_bytes().to_vec()).await
        };
        put.await.map_err(|fault| match fault {
            Fault::Refused(refusal) if refusal.is_expired() => Fault::Refused(refusal),
            Fault::Refused(Refusal { code, message }) => refused(unwritable(bucket, &format!("{message} ({code})"))),
            Fault::Transient(Transient { message, retry_after }) => {
                Fault::Transient(Transient { message: unwritable(bucket, &message), retry_after })
            }
        })
    }

    /// The address as CloudFormation takes it: always that of S3 itself; emulators know it as their own.
    fn url(&self, bucket: &TemplateBucket, key: &str) -> String {
        let region = bucket.region.as_deref().unwrap_or(&self.order.region);
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://s3.{region}.{suffix}/{}/{key}", bucket.name)
    }
}

/// The file to start from: the one that the order names, or its only one.
fn main_file(order: &Order) -> Result<&str, String> {
    let known = || order.files.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    match &order.main_file {
        Some(path) => order
            .files
            .get(path)
            .map(String::as_str)
            .ok_or_else(|| format!("The rendered files have no {path:?}; they are: {}.", known())),
        None => match order.files.values().next() {
            Some(text) if order.files.len() == 1 => Ok(text),
            _ => Err(format!("A stack is made of one template; the rendered files are: {}.", known())),
        },
    }
}

fn unwritable(bucket: &TemplateBucket, error: &str) -> String {
    format!("The template can't be written to the bucket {} (--aws-template-bucket): {error}", bucket.name)
}

fn refused(message: String) -> Fault {
    Fault::Refused(Refusal { code: "InvalidTemplate".to_owned(), message })
}
