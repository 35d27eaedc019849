//! Answers of STS: XML in the form of the query protocol.

use super::fault::Fault;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// An element being written.
#[derive(Default)]
pub(super) struct Xml(String);

impl Xml {
    /// An element with a text.
    pub(super) fn text(mut self, name: &str, text: &str) -> Self {
        self.0 += &format!("<{name}>{}</{name}>", escaped(text));
        self
    }

    /// An element with others.
    pub(super) fn element(mut self, name: &str, within: Self) -> Self {
        self.0 += &format!("<{name}>{}</{name}>", within.0);
        self
    }

    /// The answer of an operation.
    pub(super) fn answer(self, operation: &str, request_id: &str) -> String {
        format!(
            "<{operation}Response xmlns=\"{NAMESPACE}\"><{operation}Result>{}</{operation}Result><ResponseMetadata>\
             <RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>\n",
            self.0,
        )
    }
}

pub(super) fn fault(fault: &Fault, request_id: &str) -> String {
    let kind = if fault.status < 500 { "Sender" } else { "Receiver" };
    format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{kind}</Type><Code>{}</Code><Message>{}</Message>\
         </Error><RequestId>{request_id}</RequestId></ErrorResponse>\n",
        fault.code,
        escaped(&fault.message),
    )
}

/// Text as XML can hold it: control characters, which it can't, are left out.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\u{FFFE}' | '\u{FFFF}' => {}
            character if character.is_control() && !matches!(character, '\n' | '\t') => {}
            character => safe.push(character),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_sent_can_not_break_the_xml() {
        let xml = fault(&Fault::new(400, "InvalidAction", "<&\"\u{0}\u{FFFF}>".to_owned()), "id");
        assert!(xml.contains("<Message>&lt;&amp;&quot;&gt;</Message>"), "{xml}");
    }

    #[test]
    fn elements_are_within_the_answer() {
        let xml = Xml::default().element("A", Xml::default().text("B", "1 < 2")).answer("Do", "id");
        assert!(xml.starts_with("<DoResponse xmlns=") && xml.contains("<DoResult><A><B>1 &lt; 2</B></A></DoResult>"));
    }
}
