/** Words as they are: a page of widgets has no catalogue of translations. */
import type { TranslationBundle } from '@jupyterlab/translation';

const filled = (text: string, values: unknown[]) =>
  text.replace(/%(\d+)/g, (_, index) => String(values[Number(index) - 1] ?? ''));

export const trans = {
  __: (text: string, ...values: unknown[]) => filled(text, values),
  _n: (one: string, several: string, n: number, ...values: unknown[]) =>
    filled(n === 1 ? one : several, [n, ...values])
} as unknown as TranslationBundle;
