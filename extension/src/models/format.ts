/** Models in words and in code. */
import type { ModelFacts, ModelVersion, RegisteredModel, SignatureColumn } from '../api';
import { mlflowCode } from '../kernels/tracked';

/** Flavours that `load_model` of their own module loads, those that are wanted first, first. */
const LOADERS = [
  'sklearn',
  'pytorch',
  'xgboost',
  'lightgbm',
  'catboost',
  'tensorflow',
  'keras',
  'onnx',
  'transformers',
  'sentence_transformers',
  'spacy',
  'statsmodels',
  'prophet',
  'spark'
];

/** `models:/churn@champion`, or `models:/churn/3`. */
export function uriOf(name: string, target: { version: string } | { alias: string }): string {
  return 'alias' in target
    ? `models:/${name}@${target.alias}`
    : `models:/${name}/${target.version}`;
}

/** The address that goes on meaning what its user means: an alias if there is one. */
export function bestUri(model: RegisteredModel): string {
  const alias = model.aliases?.find(({ alias }) => alias === 'champion') ?? model.aliases?.[0];
  return alias
    ? uriOf(model.name, { alias: alias.alias })
    : uriOf(model.name, { version: model.latest_version ?? '1' });
}

/** The code that loads what is at the address; its files, where MLflow cannot load them. */
export function loadCode(uri: string, facts: ModelFacts | null): string {
  // a name may hold anything
  const quoted = JSON.stringify(uri);
  const flavors = Object.keys(facts?.flavors ?? {});
  if (facts && !flavors.length) {
    return mlflowCode(`folder = mlflow.artifacts.download_artifacts(${quoted})`);
  }
  const flavor = LOADERS.find(name => flavors.includes(name)) ?? 'pyfunc';
  return mlflowCode(`model = mlflow.${flavor}.load_model(${quoted})`);
}

export function figure(value: number | string | undefined): string {
  if (typeof value !== 'number') {
    return value ?? '–';
  }
  return Number.isInteger(value) ? String(value) : value.toPrecision(5).replace(/\.?0+($|e)/, '$1');
}

/** `age: double`; `?` behind what may be left out. */
export function columnText(column: SignatureColumn): string {
  const shape = column.shape ? ` (${column.shape.join(', ')})` : '';
  const optional = column.required === false ? '?' : '';
  return `${column.name ?? '–'}${optional}: ${column.type}${shape}`;
}

export interface IDifference {
  group: 'metrics' | 'params' | 'inputs' | 'outputs' | 'tags';
  key: string;
  cells: string[];
  differs: boolean;
  /** Which cell has the highest of several numbers; -1: none, or all are alike. */
  best: number;
}

/** Versions side by side, one line for each thing that any of them has. */
export function differences(
  versions: readonly ModelVersion[],
  facts: readonly (ModelFacts | null)[]
): IDifference[] {
  const lines = new Map<string, IDifference>();
  const put = (group: IDifference['group'], key: string, index: number, cell: string) => {
    const id = `${group} ${key}`;
    const line = lines.get(id) ?? {
      group,
      key,
      cells: versions.map(() => '–'),
      differs: false,
      best: -1
    };
    line.cells[index] = cell;
    lines.set(id, line);
  };
  versions.forEach((version, index) => {
    Object.entries(version.metrics ?? {}).forEach(([key, value]) =>
      put('metrics', key, index, figure(value))
    );
    Object.entries(version.params ?? {}).forEach(([key, value]) =>
      put('params', key, index, value)
    );
    Object.entries(version.tags ?? {}).forEach(([key, value]) => put('tags', key, index, value));
    const said = facts[index];
    said?.inputs?.forEach((column, at) =>
      put('inputs', column.name ?? `#${at}`, index, typeText(column))
    );
    said?.outputs?.forEach((column, at) =>
      put('outputs', column.name ?? `#${at}`, index, typeText(column))
    );
  });
  const order = ['metrics', 'params', 'inputs', 'outputs', 'tags'];
  const found = [...lines.values()];
  for (const line of found) {
    line.differs = new Set(line.cells).size > 1;
    if (line.group === 'metrics' && line.differs) {
      const values = versions.map(version => version.metrics?.[line.key]);
      const numbers = values.map(value => (typeof value === 'number' ? value : -Infinity));
      const isCompared = values.filter(value => typeof value === 'number').length > 1;
      line.best = isCompared ? numbers.indexOf(Math.max(...numbers)) : -1;
    }
  }
  return found.sort(
    (a, b) => order.indexOf(a.group) - order.indexOf(b.group) || a.key.localeCompare(b.key)
  );
}

function typeText(column: SignatureColumn): string {
  const shape = column.shape ? ` (${column.shape.join(', ')})` : '';
  return `${column.type}${shape}${column.required === false ? ', optional' : ''}`;
}
