/** The bundle that fits the platform; see `imports` in package.json. */
declare module '#onnxruntime-web' {
  export * from 'onnxruntime-web';
}
