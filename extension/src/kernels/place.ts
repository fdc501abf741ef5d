/** Where a kernel runs, as its kernelspec says. */
import { KernelSpec } from '@jupyterlab/services';

export interface IPlace {
  readonly instance: string;
  readonly environment: string;
  /** The instance's, when the hub wrote the spec. */
  readonly state: string | undefined;
}

/** The instance that kernels of this spec run on; null: the Jupyter server starts them itself. */
export function placeOf(spec: KernelSpec.ISpecModel | null | undefined): IPlace | null {
  const place = spec?.metadata?.perijove as unknown as Partial<IPlace> | undefined;
  return place?.instance
    ? { instance: place.instance, environment: place.environment ?? 'base', state: place.state }
    : null;
}

/** The instances that have kernelspecs, by name. */
export function instances(specs: KernelSpec.ISpecModels | null): string[] {
  const names = Object.values(specs?.kernelspecs ?? {}).map(spec => placeOf(spec)?.instance);
  return [...new Set(names.filter((name): name is string => name !== undefined))].sort();
}
