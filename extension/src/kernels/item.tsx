/** In a notebook's toolbar: where its kernel runs, and what it uses there. */
import { ISessionContext, ReactWidget } from '@jupyterlab/apputils';
import { KernelSpec } from '@jupyterlab/services';
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { HostedKernel } from '../api';
import { useSignal } from '../components/signal';
import { stateText } from '../compute/format';
import { ComputeManager } from '../compute/manager';
import { KernelFigures } from './figures';
import { usage } from './format';
import { IPlace, placeOf } from './place';

export interface IItemOptions {
  session: ISessionContext;
  specs: KernelSpec.IManager;
  compute: ComputeManager;
  figures: KernelFigures;
  trans: TranslationBundle;
  open(instance: string): void;
}

export class KernelItem extends ReactWidget {
  constructor(private _options: IItemOptions) {
    super();
    this.addClass('jp-perijove-kernel');
  }

  protected render(): React.ReactElement {
    return <Item {...this._options} />;
  }
}

function Item(props: IItemOptions): React.ReactElement | null {
  const { session, specs, compute, figures, trans } = props;
  useSignal(session.kernelChanged);
  useSignal(specs.specsChanged);
  useSignal(compute.changed);
  useSignal(figures.changed);
  const kernel = session.session?.kernel ?? null;
  const place = kernel && placeOf(specs.specs?.kernelspecs[kernel.name]);
  const instance = place?.instance;
  React.useEffect(() => {
    const watch = instance ? figures.watch(instance) : null;
    return () => watch?.dispose();
  }, [figures, instance]);
  if (!kernel || !place) {
    return null;
  }
  const target = compute.get(place.instance);
  const state = target && target.state !== 'running' ? stateText(target, trans) : null;
  const found = figures.get(kernel.id);
  return (
    <button
      className="jp-perijove-kernel-place"
      title={title(place, found, trans)}
      onClick={() => props.open(place.instance)}
    >
      {[place.instance, ...(state ? [state] : usage(found))].join(' · ')}
    </button>
  );
}

function title(place: IPlace, kernel: HostedKernel | undefined, trans: TranslationBundle): string {
  const lines = [trans.__('This notebook runs in %1 on %2.', place.environment, place.instance)];
  if (kernel) {
    lines.push(trans.__('CPU in percent of one CPU, and memory, of all its processes.'));
    lines.push(trans.__('Process %1', kernel.pid ?? '–'));
  }
  return lines.join('\n');
}
