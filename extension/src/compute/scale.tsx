/** What of a cluster can be changed later: its limits. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Target } from '../api';
import { FormFooter, formDialog, useSubmit } from '../components/dialog';
import { check, EMPTY, type Values } from './definition';
import { TargetField } from './fields';
import { ComputeManager } from './manager';

const LIMITS = ['min_nodes', 'max_nodes', 'idle_seconds_before_scale_down'] as const;

/** Ask for other limits and give them to the target; null when it was dismissed. */
export function scaleTarget(
  manager: ComputeManager,
  target: Target,
  trans: TranslationBundle
): Promise<Target | null> {
  return formDialog<Target>(trans.__('Scale %1', target.name), done => (
    <ScaleForm manager={manager} target={target} trans={trans} onDone={done} />
  ));
}

function ScaleForm(props: {
  manager: ComputeManager;
  target: Target;
  trans: TranslationBundle;
  onDone(target: Target | null): void;
}): React.ReactElement {
  const { manager, target, trans, onDone } = props;
  const [values, setValues] = React.useState<Values>(() => {
    const idle = target.properties?.idle_seconds_before_scale_down;
    return {
      ...EMPTY,
      name: target.name,
      min_nodes: String(target.min_nodes),
      max_nodes: String(target.max_nodes),
      ...(typeof idle === 'number' && { idle_seconds_before_scale_down: String(idle) })
    };
  });
  const errors = check('cluster', values, trans);
  const isValid = !Object.keys(errors).length;
  const { busy, refused, clear, submit } = useSubmit(async () =>
    onDone(
      await manager.scale(
        target.name,
        Object.fromEntries(LIMITS.map(field => [field, Number(values[field])]))
      )
    )
  );
  const isLimit = LIMITS.some(field => field === refused?.field);
  if (refused?.field && isLimit) {
    errors[refused.field] = refused.text;
  }
  return (
    <form className="jp-perijove-form" onSubmit={submit}>
      {LIMITS.map(field => (
        <TargetField
          key={field}
          field={field}
          choice="cluster"
          values={values}
          errors={errors}
          trans={trans}
          set={change => {
            clear();
            setValues({ ...values, ...change });
          }}
        />
      ))}
      <FormFooter
        label={trans.__('Scale')}
        refused={refused && !isLimit ? refused.text : undefined}
        disabled={!isValid || busy}
        trans={trans}
        onCancel={() => onDone(null)}
      />
    </form>
  );
}
