//! Finding the operands of `+`, `*`, `~` and `%`, and writing calls in their place.
//!
//! A tolerant reading of Jinja's expressions: it knows precedence and brackets, and passes over
//! whatever else stands in a tag. From loose to tight: `+ -`, `~`, `* / // %`, signs, `**`, then names
//! with what is attached to them (`.a`, `[0]`, `(x)`, `|filter`, `is test`).

use super::Edit;
use super::lexer::{Kind, Tag, Token};

/// The changes to one tag, in order.
pub(super) fn edits(tag: &Tag, source: &str) -> Vec<Edit> {
    let grows = |token: &Token| token.kind == Kind::Operator && ["+", "*", "~", "%"].contains(&token.text(source));
    if tag.statement(source) != Some("set") && !tag.tokens.iter().any(grows) {
        return Vec::new();
    }
    let changes = tag.tokens.iter().map(|_| Change::default()).collect();
    let mut rewriter = Rewriter { source, tokens: &tag.tokens, changes, at: usize::from(tag.is_statement) };
    rewriter.assignment(tag);
    while rewriter.at < tag.tokens.len() {
        rewriter.sequence();
        // A closing bracket that nothing opened.
        rewriter.at += 1;
    }
    rewriter.edits()
}

/// The call around the value of an assignment.
const KEPT: &str = "__kept(";

/// What happens to one token.
#[derive(Default)]
struct Change {
    before: Vec<&'static str>,
    instead: Option<&'static str>,
    after: usize,
}

struct Rewriter<'a> {
    source: &'a str,
    tokens: &'a [Token],
    changes: Vec<Change>,
    at: usize,
}

impl Rewriter<'_> {
    fn peek(&self) -> Option<(Kind, &str)> {
        self.tokens.get(self.at).map(|token| (token.kind, token.text(self.source)))
    }

    fn is_operator(&self, operator: &str) -> bool {
        self.peek() == Some((Kind::Operator, operator))
    }

    /// `set x = value`: what is kept is looked at.
    fn assignment(&mut self, tag: &Tag) {
        let equals = tag.tokens.iter().position(|token| token.text(self.source) == "=");
        let (Some("set"), Some(equals)) = (tag.statement(self.source), equals) else { return };
        if let (Some(first), true) = (self.changes.get_mut(equals + 1), equals + 1 < tag.tokens.len()) {
            first.before.push(KEPT);
            if let Some(last) = self.changes.last_mut() {
                last.after += 1;
            }
        }
    }

    /// Expressions and whatever stands between them, up to a closing bracket or the end.
    fn sequence(&mut self) {
        while let Some((kind, _)) = self.peek() {
            if kind == Kind::Close {
                return;
            }
            let before = self.at;
            if self.begins_operand() {
                self.sum();
            }
            if self.at == before {
                self.at += 1;
            }
        }
    }

    fn begins_operand(&self) -> bool {
        match self.peek() {
            Some((Kind::Name, name)) => !is_word_operator(name),
            Some((Kind::Number | Kind::Text | Kind::Open, _)) => true,
            Some((Kind::Operator, operator)) => operator == "-" || operator == "+",
            Some((Kind::Close, _)) | None => false,
        }
    }

    fn sum(&mut self) {
        self.chain("__sum(", &[("+", ",'+',"), ("-", ",'-',")], &["+"], Self::concatenation);
    }

    fn concatenation(&mut self) {
        self.chain("__concat(", &[("~", ",")], &["~"], Self::product);
    }

    fn product(&mut self) {
        let operators = [("*", ",'*',"), ("%", ",'%',"), ("/", ",'/',"), ("//", ",'//',")];
        self.chain("__product(", &operators, &["*", "%"], Self::sign);
    }

    /// Operands with operators of one precedence between them: one flat call, if there is one among
    /// them that can make a value `grow`.
    fn chain(
        &mut self,
        function: &'static str,
        operators: &[(&str, &'static str)],
        grow: &[&str],
        operand: fn(&mut Self),
    ) {
        let start = self.at;
        operand(self);
        let mut found = Vec::new();
        let mut grows = false;
        while let Some((Kind::Operator, text)) = self.peek()
            && let Some((operator, instead)) = operators.iter().find(|(operator, _)| *operator == text)
        {
            grows |= grow.contains(operator);
            found.push((self.at, *instead));
            self.at += 1;
            operand(self);
        }
        if grows {
            self.call(function, start, &found);
        }
    }

    /// Signs, an operand, and its powers, however many: no recursion.
    fn sign(&mut self) {
        loop {
            while self.is_operator("-") || self.is_operator("+") {
                // The engine does not know a positive sign.
                if self.is_operator("+")
                    && let Some(change) = self.changes.get_mut(self.at)
                {
                    change.instead = Some("");
                }
                self.at += 1;
            }
            self.attached();
            if !self.is_operator("**") {
                return;
            }
            self.at += 1;
        }
    }

    /// An operand with the filters and tests that follow it.
    fn attached(&mut self) {
        self.operand();
        loop {
            match self.peek() {
                Some((Kind::Operator, "|")) => {
                    self.at += 2;
                    self.postfix();
                }
                Some((Kind::Name, "is")) => self.test(),
                _ => return,
            }
        }
    }

    /// A name, a literal or brackets, with attributes, items and calls.
    fn operand(&mut self) {
        match self.peek() {
            Some((Kind::Open, _)) => self.brackets(),
            Some((Kind::Text, _)) => {
                while matches!(self.peek(), Some((Kind::Text, _))) {
                    self.at += 1;
                }
            }
            Some((Kind::Number, _)) => self.at += 1,
            Some((Kind::Name, name)) if !is_word_operator(name) => self.at += 1,
            _ => return,
        }
        self.postfix();
    }

    fn postfix(&mut self) {
        loop {
            match self.peek() {
                Some((Kind::Operator, ".")) => self.at += 2,
                Some((Kind::Open, "(" | "[")) => self.brackets(),
                _ => return,
            }
        }
    }

    fn brackets(&mut self) {
        self.at += 1;
        self.sequence();
        self.at += 1;
    }

    /// `is [not] name`, with arguments in brackets or one without.
    fn test(&mut self) {
        self.at += 1;
        if self.peek() == Some((Kind::Name, "not")) {
            self.at += 1;
        }
        self.at += 1;
        match self.peek() {
            Some((Kind::Open, "(")) => self.postfix(),
            Some((Kind::Open, _)) => {}
            _ => self.operand(),
        }
    }

    /// Writes `function(` before the token `start`, commas for the operators and `)` after the last
    /// token.
    fn call(&mut self, function: &'static str, start: usize, operators: &[(usize, &'static str)]) {
        let Some(end) = self.at.min(self.tokens.len()).checked_sub(1) else { return };
        for (operator, instead) in operators {
            if let Some(change) = self.changes.get_mut(*operator) {
                change.instead = Some(instead);
            }
        }
        if let Some(change) = self.changes.get_mut(start) {
            change.before.push(function);
        }
        if let Some(change) = self.changes.get_mut(end) {
            change.after += 1;
        }
    }

    fn edits(self) -> Vec<Edit> {
        let mut edits = Vec::new();
        for (token, change) in self.tokens.iter().zip(self.changes) {
            // What was found last stands outermost, but for what is kept.
            let kept = change.before.iter().filter(|function| **function == KEPT);
            let calls = change.before.iter().rev().filter(|function| **function != KEPT);
            let before: String = kept.chain(calls).copied().collect();
            if !before.is_empty() {
                edits.push(Edit { at: token.range.start, removed: 0, inserted: before });
            }
            if let Some(instead) = change.instead {
                edits.push(Edit { at: token.range.start, removed: token.range.len(), inserted: instead.to_owned() });
            }
            if change.after > 0 {
                edits.push(Edit { at: token.range.end, removed: 0, inserted: ")".repeat(change.after) });
            }
        }
        edits
    }
}

/// Words that cannot be names of variables, and part operands.
fn is_word_operator(name: &str) -> bool {
    matches!(name, "and" | "or" | "not" | "in" | "is" | "if" | "else" | "elif")
}
