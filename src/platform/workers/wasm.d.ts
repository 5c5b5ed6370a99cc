/** Bundled by wrangler as a WebAssembly.Module. */
declare module '*.wasm' {
  const code: object
  export default code
}
