/** Style sheets come as text: esbuild's text loader, and a plugin of the same effect in vitest. */
declare module "*.css" {
  const text: string;
  export default text;
}
