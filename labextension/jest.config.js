/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'jsdom',
  roots: ['<rootDir>/src'],
  testMatch: ['**/__tests__/*.spec.ts?(x)'],
  // They run beside all others: it ends what hangs, and is no measure of speed.
  testTimeout: 300_000,
  setupFilesAfterEnv: ['<rootDir>/src/__tests__/patience.ts'],
  transform: {
    '\\.tsx?$': [
      'ts-jest',
      { tsconfig: 'tsconfig.test.json', diagnostics: false }
    ]
  }
};
