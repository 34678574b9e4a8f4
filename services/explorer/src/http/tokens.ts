export const SITE = Symbol("the built pages");
export const ABOUT = Symbol("what the page on signing tells");
