declare module '*.css' {
  const value: string;
  export default value;
}
