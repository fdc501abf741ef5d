/** The fields of *Run on…*: from text to typed values, with a plain word when that fails. */
import { TranslationBundle } from '@jupyterlab/translation';

import type { NotebookParameter } from '../api';

export type Parsed = { value: unknown } | { error: string };

/** The text a field starts with. */
export function initialText(parameter: NotebookParameter, saved?: unknown): string {
  if (saved !== undefined) {
    return toText(saved, parameter.type);
  }
  if (parameter.default === null || parameter.default === undefined) {
    return parameter.source === 'None' ? '' : parameter.source;
  }
  return toText(parameter.default, parameter.type);
}

function toText(value: unknown, type: string): string {
  if (type === 'str' && typeof value === 'string') {
    return value;
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The value a text stands for. */
export function parse(type: string, text: string, trans: TranslationBundle): Parsed {
  const plain = text.trim();
  switch (type) {
    case 'int':
      return /^[+-]?\d+$/.test(plain) && Number.isSafeInteger(Number(plain))
        ? { value: Number(plain) }
        : { error: trans.__('a whole number, like 8') };
    case 'float': {
      const number = Number(plain);
      return plain !== '' && Number.isFinite(number)
        ? { value: number }
        : { error: trans.__('a number, like 0.05') };
    }
    case 'bool':
      return plain === 'true' || plain === 'false'
        ? { value: plain === 'true' }
        : { error: trans.__('true or false') };
    case 'str':
      return { value: text };
    case 'list':
      return parseJson(plain, Array.isArray, trans.__('a list, like [1, 2]'));
    case 'dict':
      return parseJson(
        plain,
        value => typeof value === 'object' && value !== null && !Array.isArray(value),
        trans.__('an object, like {"depth": 8}')
      );
    default:
      return parseLoose(plain);
  }
}

function parseJson(text: string, fits: (value: unknown) => boolean, rule: string): Parsed {
  try {
    const value = JSON.parse(text);
    return fits(value) ? { value } : { error: rule };
  } catch {
    return { error: rule };
  }
}

/** Where no type is known: JSON if it is some, else text, as papermill does. */
function parseLoose(text: string): Parsed {
  const python: Record<string, unknown> = { True: true, False: false, None: null };
  if (text in python) {
    return { value: python[text] };
  }
  try {
    return { value: JSON.parse(text) };
  } catch {
    return { value: text };
  }
}

/** The values to send: those that differ from the notebook's own. */
export function changedValues(
  parameters: readonly NotebookParameter[],
  texts: Readonly<Record<string, string>>,
  trans: TranslationBundle
): { values: Record<string, unknown>; errors: Record<string, string> } {
  const values: Record<string, unknown> = {};
  const errors: Record<string, string> = {};
  for (const parameter of parameters) {
    const text = texts[parameter.name] ?? '';
    if (text === initialText(parameter)) {
      continue;
    }
    const parsed = parse(parameter.type, text, trans);
    if ('error' in parsed) {
      errors[parameter.name] = parsed.error;
    } else {
      values[parameter.name] = parsed.value;
    }
  }
  return { values, errors };
}
