//! `{{#if value}}` as handlebars has it, but strict: a typo in a condition must not make a policy
//! disappear.

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, JsonTruthy, Output, RenderContext,
    RenderErrorReason, Renderable,
};

pub(super) struct If {
    /// `unless` when not.
    pub(super) positive: bool,
}

impl HelperDef for If {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let condition = helper
            .param(0)
            .ok_or(RenderErrorReason::ParamNotFoundForIndex("if", 0))?;
        if condition.is_value_missing() {
            return Err(
                RenderErrorReason::MissingVariable(condition.relative_path().cloned()).into(),
            );
        }
        let holds = condition.value().is_truthy(false) == self.positive;
        match if holds {
            helper.template()
        } else {
            helper.inverse()
        } {
            Some(block) => block.render(registry, context, render, out),
            None => Ok(()),
        }
    }
}
