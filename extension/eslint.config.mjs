import jupyter from '@jupyter/eslint-plugin';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['lib', 'node_modules', 'src/api/types.ts', 'jest.config.js'] },
  ...tseslint.configs.recommended,
  { plugins: { jupyter } },
  ...jupyter.configs.recommended,
  {
    files: ['src/**/*.ts', 'src/**/*.tsx'],
    rules: {
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-namespace': 'off',
      eqeqeq: 'error',
      // what is there from the start: the list, the commands and who says that a job has ended
      'jupyter/prefer-lazy-imports': [
        'warn',
        {
          ignoreImports: [
            './commands',
            './manager',
            './notify',
            './panel',
            './running',
            './statusitem'
          ]
        }
      ]
    }
  }
);
