/** What we use of lit-html, for the type checker. */
export interface TemplateResult {}
export function html(strings: TemplateStringsArray, ...values: unknown[]): TemplateResult;
export function svg(strings: TemplateStringsArray, ...values: unknown[]): TemplateResult;
export function render(template: unknown, container: HTMLElement): void;
export const nothing: any;
export const noChange: any;
