//! Routes with or without their descriptions.
//!
//! A running service serves the committed document and needs no descriptions: to make those of some fifty operations at each
//! start would leave megabytes of memory behind. Only whoever writes or compares the document asks for them. The few routes that all
//! services share are described always: that is not worth a parameter of each.

#[doc(hidden)]
pub use utoipa_axum;

/// Whether routes come with their descriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Describe {
    /// With all that the document says of them.
    Fully,
    /// Paths and methods only.
    Not,
}

/// The routes of handlers with `#[utoipa::path]`, as `utoipa_axum::routes!` makes them, described if the [`Describe`] before the
/// semicolon says so. They share a path.
#[macro_export]
macro_rules! routes {
    ($describe:expr; $($handler:path),+ $(,)?) => {
        match $describe {
            $crate::docs::Describe::Fully => $crate::docs::utoipa_axum::routes!($($handler),+),
            $crate::docs::Describe::Not => {
                use $crate::docs::utoipa_axum::PathItemExt as _;
                let mut paths = utoipa::openapi::path::Paths::new();
                let mut router = axum::routing::MethodRouter::new();
                $(
                    let (path, methods) = $crate::routes!(@of $handler);
                    for method in methods {
                        router = router.on(method.to_method_filter(), $handler);
                    }
                    paths.paths.insert(path, utoipa::openapi::path::PathItem::default());
                )+
                (Vec::new(), paths, router)
            }
        }
    };
    (@of $handler:path) => {
        // The parts of a path can only be taken apart by this macro.
        $crate::docs::utoipa_axum::paste! {
            (
                $crate::docs::utoipa_axum::routes!(@path [path()] of $handler),
                $crate::docs::utoipa_axum::routes!(@path [methods()] of $handler),
            )
        }
    };
}
