//! One form for all tables: a caption for those who cannot see the heading above, heads with a scope, and on a narrow screen a
//! card for each row, in which every cell bears the name of its column. The roles are written out, because a browser forgets
//! that a table is one as soon as a style sheet displays it as something else.

use maud::{Markup, html};

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    name: &'static str,
    class: &'static str,
}

impl Column {
    /// A column of words.
    pub(super) const fn text(name: &'static str) -> Self {
        Self { name, class: "" }
    }

    /// A column of figures, which end at its right edge.
    pub(super) const fn number(name: &'static str) -> Self {
        Self { name, class: "n" }
    }
}

/// A table; the first cell of each row is its head.
pub(super) fn table<const N: usize>(
    caption: &str,
    columns: &[Column; N],
    rows: impl IntoIterator<Item = [Markup; N]>,
) -> Markup {
    html! {
        table role="table" {
            caption.sr { (caption) }
            thead role="rowgroup" {
                tr role="row" {
                    @for Column { name, class } in columns { th.(class) scope="col" role="columnheader" { (name) } }
                }
            }
            tbody role="rowgroup" {
                @for row in rows { tr role="row" {
                    @for (i, (cell, Column { name, class })) in row.into_iter().zip(columns).enumerate() {
                        @if i == 0 {
                            th.(class) scope="row" role="rowheader" { (cell) }
                        } @else {
                            td.(class) role="cell" data-label=(name) { div { (cell) } }
                        }
                    }
                } }
            }
        }
    }
}
