//! Lists, pipelines and compound commands out of tokens.

use super::lex::{Part, Raw, Token, tokens};

/// Deepest compound commands in each other.
const DEPTH_MAX: usize = 40;

pub(super) type List = Vec<AndOr>;

/// Pipelines with `&&` and `||` between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AndOr {
    pub(super) pipelines: Vec<Pipeline>,
    /// What stands between them: whether it is `||`.
    pub(super) ors: Vec<bool>,
    pub(super) background: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pipeline {
    pub(super) negated: bool,
    pub(super) parts: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Simple(Simple),
    Group {
        body: List,
        subshell: bool,
    },
    /// Conditions with their bodies, and what is done when none holds.
    If {
        branches: Vec<(List, List)>,
        otherwise: List,
    },
    /// `while`, or `until`.
    Loop {
        condition: List,
        until: bool,
        body: List,
    },
    /// Once for each word; for each argument where no words are given.
    For {
        /// What holds the word; none where a loop counts.
        name: Option<String>,
        words: Option<Vec<Raw>>,
        body: List,
    },
    /// The branches of a `case`.
    Case(List),
    Function {
        name: String,
        body: Box<Node>,
    },
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Simple {
    pub(super) assigns: Vec<(String, Raw)>,
    pub(super) words: Vec<Raw>,
    pub(super) line: usize,
    /// Scripts in its words.
    pub(super) nested: Vec<List>,
}

/// A whole script. What is not understood is left out.
pub(super) fn script(text: &str, depth: usize) -> List {
    parse(tokens(text, 0, depth), depth)
}

fn parse(tokens: Vec<(Token, usize)>, depth: usize) -> List {
    let mut parser = Parser { tokens, at: 0, depth };
    let mut all = Vec::new();
    while parser.at < parser.tokens.len() {
        let before = parser.at;
        all.extend(parser.list());
        if parser.at == before {
            // A closing word that nothing opened.
            parser.at += 1;
        }
    }
    all
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    depth: usize,
}

const CLOSING: &[&str] = &["then", "elif", "else", "fi", "do", "done", "esac", "}"];

impl Parser {
    fn operator(&self) -> Option<&'static str> {
        match self.tokens.get(self.at)? {
            (Token::Operator(operator), _) => Some(operator),
            (Token::Word(_), _) => None,
        }
    }

    fn keyword(&self) -> Option<String> {
        match self.tokens.get(self.at)? {
            (Token::Word(raw), _) => raw.keyword(),
            (Token::Operator(_), _) => None,
        }
    }

    fn is(&self, keyword: &str) -> bool {
        self.keyword().as_deref() == Some(keyword)
    }

    fn take(&mut self, keyword: &str) -> bool {
        let is = self.is(keyword);
        self.at += usize::from(is);
        is
    }

    fn skip_breaks(&mut self) {
        while matches!(self.operator(), Some("\n" | ";")) {
            self.at += 1;
        }
    }

    /// Up to a closing word or bracket.
    fn list(&mut self) -> List {
        let mut list = Vec::new();
        loop {
            self.skip_breaks();
            if self.at >= self.tokens.len()
                || matches!(self.operator(), Some(")" | ";;" | ";&" | ";;&"))
                || self.keyword().is_some_and(|word| CLOSING.contains(&word.as_str()))
            {
                return list;
            }
            let before = self.at;
            let and_or = self.and_or();
            if self.at == before {
                self.at += 1;
            } else if !and_or.pipelines.is_empty() {
                list.push(and_or);
            }
        }
    }

    fn and_or(&mut self) -> AndOr {
        let mut all = AndOr { pipelines: Vec::new(), ors: Vec::new(), background: false };
        loop {
            let Some(pipeline) = self.pipeline() else {
                all.ors.pop();
                return all;
            };
            all.pipelines.push(pipeline);
            match self.operator() {
                Some(operator @ ("&&" | "||")) => {
                    self.at += 1;
                    all.ors.push(operator == "||");
                    while self.operator() == Some("\n") {
                        self.at += 1;
                    }
                }
                Some("&") => {
                    self.at += 1;
                    all.background = true;
                    return all;
                }
                _ => return all,
            }
        }
    }

    fn pipeline(&mut self) -> Option<Pipeline> {
        let mut negated = false;
        while self.is("!") || self.is("time") {
            negated ^= self.is("!");
            self.at += 1;
        }
        let mut parts = Vec::new();
        loop {
            parts.push(self.command()?);
            if !matches!(self.operator(), Some("|" | "|&")) {
                return Some(Pipeline { negated, parts });
            }
            self.at += 1;
            while self.operator() == Some("\n") {
                self.at += 1;
            }
        }
    }

    fn command(&mut self) -> Option<Node> {
        if self.depth >= DEPTH_MAX {
            self.at = self.tokens.len();
            return None;
        }
        self.depth += 1;
        let node = self.compound();
        self.depth -= 1;
        node
    }

    fn compound(&mut self) -> Option<Node> {
        if self.operator() == Some("(") {
            self.at += 1;
            let body = self.list();
            if self.operator() == Some(")") {
                self.at += 1;
            }
            return Some(Node::Group { body, subshell: true });
        }
        match self.keyword().as_deref() {
            Some("{") => {
                self.at += 1;
                let body = self.list();
                self.take("}");
                Some(Node::Group { body, subshell: false })
            }
            Some("if") => Some(self.branches()),
            Some(word @ ("while" | "until")) => {
                let until = word == "until";
                self.at += 1;
                let condition = self.list();
                let body = self.do_done();
                Some(Node::Loop { condition, until, body })
            }
            Some(word @ ("for" | "select")) => {
                let asks = word == "select";
                Some(self.for_each(asks))
            }
            Some("case") => Some(self.case()),
            Some("function") => {
                self.at += 1;
                self.function()
            }
            _ if self.is_function() => self.function(),
            _ => self.simple().map(Node::Simple),
        }
    }

    fn branches(&mut self) -> Node {
        let mut branches = Vec::new();
        let mut otherwise = Vec::new();
        while self.take("if") || self.take("elif") {
            let condition = self.list();
            self.take("then");
            branches.push((condition, self.list()));
        }
        if self.take("else") {
            otherwise = self.list();
        }
        self.take("fi");
        Node::If { branches, otherwise }
    }

    /// A loop over words. `asks`: a person chooses among them.
    fn for_each(&mut self, asks: bool) -> Node {
        self.at += 1;
        if self.operator() == Some("(") {
            // `for ((…))` counts, and its bounds are not looked at.
            self.skip_brackets();
            self.skip_breaks();
            let words = Some(vec![Raw::default()]);
            return Node::For { name: None, words, body: self.do_done() };
        }
        let name = self.keyword().filter(|_| !asks);
        self.at += 1;
        while self.operator() == Some("\n") {
            self.at += 1;
        }
        let mut words = self.take("in").then(Vec::new);
        while self.at < self.tokens.len() && !matches!(self.operator(), Some("\n" | ";")) {
            if let (Some(words), Token::Word(raw)) = (&mut words, &self.tokens[self.at].0) {
                words.push(raw.clone());
            } else if self.is("do") {
                break;
            }
            self.at += 1;
        }
        self.skip_breaks();
        let body = self.do_done();
        Node::For { name, words, body }
    }

    /// From a bracket to behind the one that closes it.
    fn skip_brackets(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.tokens.len() {
            match self.operator() {
                Some("(") => depth += 1,
                Some(")") => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }

    fn do_done(&mut self) -> List {
        self.take("do");
        let body = self.list();
        self.take("done");
        body
    }

    fn case(&mut self) -> Node {
        while self.at < self.tokens.len() && !self.is("in") {
            self.at += 1;
        }
        self.take("in");
        let mut body = Vec::new();
        loop {
            self.skip_breaks();
            if self.at >= self.tokens.len() || self.take("esac") {
                return Node::Case(body);
            }
            // The pattern, up to its bracket.
            while self.at < self.tokens.len() && self.operator() != Some(")") {
                self.at += 1;
            }
            self.at += 1;
            body.extend(self.list());
            while matches!(self.operator(), Some(";;" | ";&" | ";;&")) {
                self.at += 1;
            }
        }
    }

    fn is_function(&self) -> bool {
        let operator = |at: usize| match self.tokens.get(at) {
            Some((Token::Operator(operator), _)) => Some(*operator),
            _ => None,
        };
        self.keyword().is_some()
            && operator(self.at + 1) == Some("(")
            && operator(self.at + 2) == Some(")")
    }

    fn function(&mut self) -> Option<Node> {
        let name = self.keyword()?;
        self.at += 1;
        while matches!(self.operator(), Some("(" | ")" | "\n")) {
            self.at += 1;
        }
        let body = Box::new(self.command()?);
        Some(Node::Function { name, body })
    }

    fn simple(&mut self) -> Option<Simple> {
        let mut simple = Simple { line: self.tokens.get(self.at)?.1, ..Simple::default() };
        let is_test = self.is("[[");
        let mut any = false;
        loop {
            match self.tokens.get(self.at) {
                Some((Token::Word(raw), _)) => {
                    let raw = raw.clone();
                    any = true;
                    self.at += 1;
                    self.nested(&raw, &mut simple);
                    match assignment(&raw) {
                        Some(assign) if simple.words.is_empty() => simple.assigns.push(assign),
                        _ => simple.words.push(raw),
                    }
                    if is_test
                        && simple.words.last().and_then(Raw::keyword).as_deref() == Some("]]")
                    {
                        break;
                    }
                }
                // Inside `[[ ]]` these are no operators of the shell.
                Some((Token::Operator(operator), _))
                    if is_test && *operator != "\n" && *operator != ";" =>
                {
                    let parts = vec![Part::Text((*operator).to_owned())];
                    simple.words.push(Raw { parts, quoted: true });
                    self.at += 1;
                }
                _ => break,
            }
        }
        any.then_some(simple)
    }

    fn nested(&self, raw: &Raw, simple: &mut Simple) {
        for part in &raw.parts {
            if let Part::Substitution(text, line) = part
                && self.depth < DEPTH_MAX
            {
                let depth = self.depth + 1;
                simple.nested.push(parse(tokens(text, *line, depth), depth));
            }
        }
    }
}

/// `NAME=value` or `NAME+=value`.
fn assignment(raw: &Raw) -> Option<(String, Raw)> {
    let Some(Part::Text(first)) = raw.parts.first() else { return None };
    let (name, value) = first.split_once('=')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !named {
        return None;
    }
    let mut parts = raw.parts.clone();
    parts[0] = Part::Text(value.to_owned());
    Some((name.to_owned(), Raw { parts, quoted: raw.quoted }))
}
