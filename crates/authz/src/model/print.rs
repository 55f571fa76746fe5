//! A model as text in the modelling language. Reading the text again gives the same model, as far as the language can
//! say it; comments are not kept by a model.

use super::{
    Condition, Model, ParameterType, Relation, Restriction, Rewrite, SubjectKind, TypeDefinition,
};
use std::fmt::{self, Display, Formatter};

impl Display for Model {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "model\n  schema {}\n", self.schema)?;
        self.types.iter().try_for_each(|one| write!(f, "\n{one}"))?;
        let mut conditions = self.conditions.iter();
        conditions.try_for_each(|one| write!(f, "\n{one}"))
    }
}

impl Display for TypeDefinition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "type {}", self.name)?;
        if !self.relations.is_empty() {
            writeln!(f, "  relations")?;
        }
        let mut relations = self.relations.iter();
        relations.try_for_each(|one| writeln!(f, "    {one}"))
    }
}

impl Display for Relation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "define {}: ", self.name)?;
        self.write(f, &self.rewrite, false)
    }
}

impl Relation {
    fn write(&self, f: &mut Formatter<'_>, rewrite: &Rewrite, inside: bool) -> fmt::Result {
        match rewrite {
            Rewrite::Direct => write!(f, "[{}]", listed(&self.restrictions)),
            Rewrite::Computed(relation) => f.write_str(relation),
            Rewrite::TupleToUserset { tupleset, computed } => {
                write!(f, "{computed} from {tupleset}")
            }
            Rewrite::Union(parts) => self.join(f, parts.iter(), " or ", inside),
            Rewrite::Intersection(parts) => self.join(f, parts.iter(), " and ", inside),
            Rewrite::Exclusion { base, subtract } => {
                let parts = [base.as_ref(), subtract.as_ref()];
                self.join(f, parts.into_iter(), " but not ", inside)
            }
        }
    }

    fn join<'a>(
        &self,
        f: &mut Formatter<'_>,
        parts: impl Iterator<Item = &'a Rewrite>,
        operator: &str,
        inside: bool,
    ) -> fmt::Result {
        f.write_str(if inside { "(" } else { "" })?;
        for (i, part) in parts.enumerate() {
            f.write_str(if i == 0 { "" } else { operator })?;
            self.write(f, part, true)?;
        }
        f.write_str(if inside { ")" } else { "" })
    }
}

fn listed<T: Display>(all: &[T]) -> String {
    let all: Vec<_> = all.iter().map(T::to_string).collect();
    all.join(", ")
}

impl Display for Restriction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.type_name)?;
        match &self.kind {
            SubjectKind::Object => {}
            SubjectKind::Wildcard => f.write_str(":*")?,
            SubjectKind::Userset(relation) => write!(f, "#{relation}")?,
        }
        let condition = self.condition.as_ref();
        condition.map_or(Ok(()), |one| write!(f, " with {one}"))
    }
}

impl Display for ParameterType {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        let of = self.of.as_ref();
        of.map_or(Ok(()), |of| write!(f, "<{of}>"))
    }
}

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let parameters = self.parameters.iter();
        let parameters: Vec<_> = parameters
            .map(|(name, of)| format!("{name}: {of}"))
            .collect();
        let parameters = parameters.join(", ");
        writeln!(f, "condition {}({parameters}) {{", self.name)?;
        write!(f, "  {}\n}}\n", self.expression)
    }
}
