/** Builds the notebooks' widgets: one ES module with everything in it, styles too, from the same
 * components as the extension. `tsc` has run before. */
import { fileURLToPath } from 'node:url';
import { rspack } from '@rspack/core';

const here = path => fileURLToPath(new URL(path, import.meta.url));
const development = process.argv.includes('--development');

const compiler = rspack({
  context: here('.'),
  mode: development ? 'development' : 'production',
  devtool: false,
  entry: './lib/widgets/index.js',
  output: {
    path: here('../server_ext/perijove/notebook/static'),
    filename: 'widgets.js',
    module: true,
    library: { type: 'module' }
  },
  resolve: {
    alias: {
      '@jupyterlab/ui-components$': here('./lib/widgets/icons.js')
    }
  },
  module: {
    rules: [
      { test: /\.css$/, type: 'asset/source' },
      { test: /\.svg$/, type: 'asset/source' }
    ]
  },
  performance: { hints: false },
  target: ['web', 'es2022']
});

compiler.run((error, stats) => {
  if (error || stats.hasErrors()) {
    console.error(error ?? stats.toString('errors-only'));
    process.exitCode = 1;
  }
  compiler.close(() => {});
});
