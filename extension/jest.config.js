/** Managers and models are plain TypeScript; what they import of JupyterLab is ESM. */
module.exports = {
  testEnvironment: 'node',
  // other tests run beside these
  testTimeout: 60_000,
  roots: ['<rootDir>/src'],
  testMatch: ['**/__tests__/*.spec.ts'],
  transform: {
    '\\.[tj]sx?$': [
      'ts-jest',
      { tsconfig: { module: 'commonjs', moduleResolution: 'node', allowJs: true, esModuleInterop: true }, diagnostics: false }
    ]
  },
  moduleNameMapper: { '\\.svg$': '<rootDir>/src/__mocks__/svg.ts' },
  transformIgnorePatterns: ['/node_modules/(?!(@jupyter|@jupyterlab|@lumino|lib0|y-protocols|yjs|eventsource-parser)/)']
};
