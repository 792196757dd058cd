//! A domain's XML as a tree that keeps all it does not understand.

use xot::{Node, Xot};

use crate::error::{Error, Result};

/// An XML document.
pub(super) struct Doc {
    xot: Xot,
    document: Node,
    top: Node,
}

impl Doc {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let broken = |error: &dyn std::fmt::Display| {
            Error::backend("The hypervisor's description of the machine cannot be read.")
                .with("error", error)
        };
        let mut xot = Xot::new();
        let document = xot.parse(text).map_err(|error| broken(&error))?;
        let top = xot
            .document_element(document)
            .map_err(|error| broken(&error))?;
        Ok(Self { xot, document, top })
    }

    /// The whole document as text.
    pub(super) fn to_text(&self) -> String {
        self.xot
            .to_string(self.document)
            .expect("names come from a parsed document or have a prefix of their own")
    }

    /// An element as a document of its own.
    pub(super) fn element_text(&self, node: Node) -> String {
        self.xot
            .to_string(node)
            .expect("names come from a parsed document or have a prefix of their own")
    }

    /// The document's element.
    pub(super) fn top(&self) -> Node {
        self.top
    }

    /// Element children of no namespace, with that name.
    pub(super) fn children(&self, of: Node, name: &str) -> impl Iterator<Item = Node> + '_ {
        // A name that no element of this document has is not known to it.
        let name = self.xot.name(name);
        self.xot.children(of).filter(move |&child| {
            self.xot
                .element(child)
                .is_some_and(|e| Some(e.name()) == name)
        })
    }

    /// The first element child of no namespace with that name.
    pub(super) fn child(&self, of: Node, name: &str) -> Option<Node> {
        self.children(of, name).next()
    }

    /// From the top down, by first children.
    pub(super) fn path(&self, names: &[&str]) -> Option<Node> {
        names
            .iter()
            .try_fold(self.top, |node, name| self.child(node, name))
    }

    /// All element children, of any name and namespace.
    pub(super) fn elements(&self, of: Node) -> impl Iterator<Item = Node> + '_ {
        self.xot
            .children(of)
            .filter(|&child| self.xot.is_element(child))
    }

    /// Whether a node has neither elements nor text other than white space in it.
    pub(super) fn is_blank(&self, node: Node) -> bool {
        self.xot.children(node).all(|child| {
            self.xot
                .text_str(child)
                .is_some_and(|text| text.trim().is_empty())
        })
    }

    /// Local name of an element.
    pub(super) fn name(&self, node: Node) -> &str {
        match self.xot.element(node) {
            Some(element) => self.xot.local_name_str(element.name()),
            None => "",
        }
    }

    /// Namespace of an element, empty for none.
    pub(super) fn namespace(&self, node: Node) -> &str {
        match self.xot.element(node) {
            Some(element) => self.xot.uri_str(element.name()),
            None => "",
        }
    }

    pub(super) fn attr(&self, node: Node, name: &str) -> Option<&str> {
        self.xot.get_attribute(node, self.xot.name(name)?)
    }

    /// An attribute of a child.
    pub(super) fn child_attr(&self, node: Node, child: &str, name: &str) -> Option<&str> {
        self.attr(self.child(node, child)?, name)
    }

    /// All attributes of no namespace, in order.
    pub(super) fn attrs(&self, node: Node) -> Vec<(&str, &str)> {
        self.xot
            .attributes(node)
            .iter()
            .map(|(name, value)| (self.xot.local_name_str(name), value.as_str()))
            .collect()
    }

    pub(super) fn set_attr(&mut self, node: Node, name: &str, value: &str) {
        let name = self.xot.add_name(name);
        self.xot.set_attribute(node, name, value);
    }

    pub(super) fn remove_attr(&mut self, node: Node, name: &str) {
        if let Some(name) = self.xot.name(name) {
            self.xot.remove_attribute(node, name);
        }
    }

    /// Text of an element, trimmed; `None` if empty.
    pub(super) fn string(&self, node: Node) -> Option<String> {
        let text = self.xot.string_value(node);
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// Text of a child.
    pub(super) fn child_string(&self, node: Node, child: &str) -> Option<String> {
        self.string(self.child(node, child)?)
    }

    pub(super) fn set_string(&mut self, node: Node, text: &str) {
        let children: Vec<Node> = self.xot.children(node).collect();
        for child in children {
            self.remove(child);
        }
        self.xot
            .append_text(node, text)
            .expect("an element takes text");
    }

    /// Appends an element of no namespace.
    pub(super) fn add(&mut self, parent: Node, name: &str) -> Node {
        let name = self.xot.add_name(name);
        let node = self.xot.new_element(name);
        self.append(parent, node);
        node
    }

    /// Appends an element with attributes.
    pub(super) fn add_with(&mut self, parent: Node, name: &str, attrs: &[(&str, &str)]) -> Node {
        let node = self.add(parent, name);
        for (name, value) in attrs {
            self.set_attr(node, name, value);
        }
        node
    }

    /// Appends an element of a namespace, declared on it with a prefix if it is not in scope.
    pub(super) fn add_ns(&mut self, parent: Node, prefix: &str, uri: &str, name: &str) -> Node {
        let namespace = self.xot.add_namespace(uri);
        let name = self.xot.add_name_ns(name, namespace);
        let node = self.xot.new_element(name);
        self.append(parent, node);
        let declared = self
            .xot
            .prefix_for_namespace(node, namespace)
            .is_some_and(|p| p != self.xot.empty_prefix());
        if !declared {
            let prefix = self.xot.add_prefix(prefix);
            self.xot.set_namespace(node, prefix, namespace);
        }
        node
    }

    fn append(&mut self, parent: Node, child: Node) {
        self.xot
            .append(parent, child)
            .expect("an element takes elements");
    }

    /// Puts an element before another.
    pub(super) fn add_before(&mut self, sibling: Node, name: &str) -> Node {
        let name = self.xot.add_name(name);
        let node = self.xot.new_element(name);
        self.xot
            .insert_before(sibling, node)
            .expect("an element has siblings");
        node
    }

    /// Puts an element after another.
    pub(super) fn add_after(&mut self, sibling: Node, name: &str) -> Node {
        let name = self.xot.add_name(name);
        let node = self.xot.new_element(name);
        self.xot
            .insert_after(sibling, node)
            .expect("an element has siblings");
        node
    }

    /// Puts an element, given as text, so that it is the n-th of the element children of its parent, or the last.
    pub(super) fn insert_text(&mut self, parent: Node, at: usize, text: &str) -> Result<Node> {
        let fragment = self.xot.parse(text).map_err(|error| {
            Error::backend("What HawkFish has noted in the machine's metadata cannot be read.")
                .with("error", error)
        })?;
        let node = self
            .xot
            .document_element(fragment)
            .expect("a document has an element");
        self.xot.detach(node).expect("an element can be taken out");
        let place = self.elements(parent).nth(at);
        match place {
            Some(sibling) => self.xot.insert_before(sibling, node),
            None => self.xot.append(parent, node),
        }
        .expect("an element takes elements");
        Ok(node)
    }

    /// Place of an element among the element children of its parent.
    pub(super) fn place(&self, node: Node) -> usize {
        let parent = self.xot.parent(node).expect("an element has a parent");
        self.elements(parent)
            .position(|n| n == node)
            .expect("a child is among the children")
    }

    /// Takes a node out, with all in it.
    pub(super) fn remove(&mut self, node: Node) {
        self.xot.remove(node).expect("a child can be removed");
    }

    /// Takes all children of that name out, with all in them.
    pub(super) fn remove_children(&mut self, of: Node, name: &str) {
        let children: Vec<Node> = self.children(of, name).collect();
        for child in children {
            self.remove(child);
        }
    }
}

#[cfg(test)]
pub(super) mod canonical {
    //! XML as it counts: no white space between elements, attributes sorted, prefixes resolved.
    use super::*;

    pub(in super::super) fn of(text: &str) -> String {
        let doc = Doc::parse(text).unwrap();
        let mut out = String::new();
        write(&doc, doc.top, &mut out);
        out
    }

    fn write(doc: &Doc, node: Node, out: &mut String) {
        if let Some(comment) = doc.xot.comment_str(node) {
            out.push_str(&format!("<!--{comment}-->"));
            return;
        }
        if let Some(text) = doc.xot.text_str(node) {
            out.push_str(text.trim());
            return;
        }
        if !doc.xot.is_element(node) {
            return;
        }
        let mut attrs: Vec<String> = doc
            .xot
            .attributes(node)
            .iter()
            .map(|(name, value)| {
                let (local, uri) = doc.xot.name_ns_str(name);
                format!(" {{{uri}}}{local}={value:?}")
            })
            .collect();
        attrs.sort();
        out.push_str(&format!(
            "\n<{{{}}}{}{}>",
            doc.namespace(node),
            doc.name(node),
            attrs.concat()
        ));
        for child in doc.xot.children(node) {
            write(doc, child, out);
        }
        out.push_str("</>");
    }
}
