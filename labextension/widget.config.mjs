/**
 * Builds the chart that a notebook shows in a cell: one module without imports and one style sheet,
 * which the Python package sends to whatever shows the widget.
 */
import { rspack } from '@rspack/core';

const here = path => new URL(path, import.meta.url).pathname;

const compiler = rspack({
  // Also while one develops: a front end may forbid `eval`, and the module is sent with each widget.
  mode: 'production',
  devtool: false,
  entry: { widget: [here('style/widget.css'), here('lib/widget/index.js')] },
  output: {
    path: here('../jupyter_training/notebook/static'),
    filename: '[name].js',
    cssFilename: '[name].css',
    library: { type: 'module' },
    module: true,
    chunkFormat: 'module',
    clean: true
  },
  module: { rules: [{ test: /\.css$/, type: 'css' }] },
  target: ['web', 'es2022'],
  performance: { hints: false }
});

compiler.run((error, stats) => {
  console.log(error ?? stats.toString({ preset: 'errors-warnings' }));
  process.exitCode = error || stats.hasErrors() ? 1 : 0;
});
