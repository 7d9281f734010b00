//! References that say something of their own, in a form that every reader understands.
//!
//! In OpenAPI 3.1 a reference may have neighbours, such as a description. Many tools still ignore them, as older versions
//! demanded, or refuse the document. "All of: this one", with the description beside it, says the same to all of them.

use utoipa::openapi::{
    Components, Ref, RefOr, Schema,
    schema::{AdditionalProperties, AllOfBuilder, ArrayItems},
};

/// Takes descriptions off the references in these components.
pub(super) fn separate(components: &mut Components) {
    components.schemas.values_mut().for_each(separate_in);
}

/// The same in one schema, at any depth.
pub(super) fn separate_in(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::Ref(reference) if is_bare(reference) => {}
        RefOr::Ref(reference) => {
            let bare = Ref::new(std::mem::take(&mut reference.ref_location));
            let description = std::mem::take(&mut reference.description);
            *schema = AllOfBuilder::new().item(bare).description(Some(description)).into();
        }
        RefOr::T(schema) => parts(schema).into_iter().for_each(separate_in),
    }
}

fn is_bare(reference: &Ref) -> bool {
    reference.description.is_empty() && reference.summary.is_empty()
}

/// The schemas that a schema is made of.
pub(super) fn parts(schema: &mut Schema) -> Vec<&mut RefOr<Schema>> {
    match schema {
        Schema::Object(object) => {
            let more = match object.additional_properties.as_deref_mut() {
                Some(AdditionalProperties::RefOr(schema)) => Some(schema),
                Some(AdditionalProperties::FreeForm(_)) | None => None,
            };
            object.properties.values_mut().chain(more).collect()
        }
        Schema::Array(array) => match &mut array.items {
            ArrayItems::RefOrSchema(items) => vec![items],
            ArrayItems::False => Vec::new(),
        },
        Schema::OneOf(one) => one.items.iter_mut().collect(),
        Schema::AllOf(all) => all.items.iter_mut().collect(),
        Schema::AnyOf(any) => any.items.iter_mut().collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use utoipa::openapi::{Ref, RefOr, Schema, schema::ObjectBuilder};

    use super::separate_in;

    #[test]
    fn a_description_stands_beside_all_of_the_reference() {
        let mut reference = Ref::from_schema_name("Hash");
        reference.description = String::from("The tip.");
        let object = ObjectBuilder::new().property("tip", reference).property("other", Ref::from_schema_name("Hash"));
        let mut schema: RefOr<Schema> = object.into();
        separate_in(&mut schema);
        let properties = serde_json::to_value(&schema).unwrap()["properties"].clone();
        assert_eq!(
            properties["tip"],
            json!({"allOf": [{"$ref": "#/components/schemas/Hash"}], "description": "The tip."})
        );
        assert_eq!(properties["other"], json!({"$ref": "#/components/schemas/Hash"}));
    }
}
