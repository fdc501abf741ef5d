/** What a new cluster is asked for, and what of it can be changed later. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Target } from '../api';
import { Disclosure, FormFooter, formDialog, useSubmit } from '../components/dialog';
import { Field } from '../components/field';
import { parseSize } from '../components/size';
import { parse } from '../jobs/parameters';
import { ComputeManager } from './manager';

/** What clusters can be launched over; the hub says so where it cannot. */
const LAUNCHERS = ['local'];
const LIMITS = ['min_nodes', 'max_nodes', 'idle_seconds_before_scale_down'] as const;
const NODE = ['cpus', 'memory', 'gpus'] as const;
const IDLE_SECONDS = '120';

type Field = 'name' | 'on' | (typeof LIMITS)[number] | (typeof NODE)[number];
type Values = Record<Field, string>;
type Errors = Partial<Record<string, string>>;

interface IPartProps {
  values: Values;
  errors: Errors;
  trans: TranslationBundle;
  set(change: Partial<Values>): void;
}

/** Ask for a new cluster and bring it up; null when it was dismissed. */
export function createCluster(
  manager: ComputeManager,
  trans: TranslationBundle
): Promise<Target | null> {
  return formDialog<Target>(trans.__('New cluster'), done => (
    <CreateForm manager={manager} trans={trans} onDone={done} />
  ));
}

/** Ask for other limits and give them to the target. */
export function scaleTarget(
  manager: ComputeManager,
  target: Target,
  trans: TranslationBundle
): Promise<Target | null> {
  return formDialog<Target>(trans.__('Scale %1', target.name), done => (
    <ScaleForm manager={manager} target={target} trans={trans} onDone={done} />
  ));
}

interface IFormProps {
  manager: ComputeManager;
  trans: TranslationBundle;
  onDone(target: Target | null): void;
}

function CreateForm({ manager, trans, onDone }: IFormProps): React.ReactElement {
  const [values, setValues] = React.useState<Values>(() => ({
    name: freeName(manager),
    on: LAUNCHERS[0],
    min_nodes: '0',
    max_nodes: String(manager.get('local')?.slots ?? 4),
    idle_seconds_before_scale_down: IDLE_SECONDS,
    cpus: '1',
    memory: '',
    gpus: '0'
  }));
  const errors = check(values, [...LIMITS, ...NODE], trans);
  if (!/^[a-z][a-z0-9-]{2,23}$/i.test(values.name)) {
    errors.name = trans.__('3 to 24 letters, digits and hyphens, a letter first');
  }
  const isValid = !Object.keys(errors).length;
  const { busy, refused, clear, submit } = useSubmit(async () =>
    onDone(
      await manager.create({
        name: values.name,
        on: values.on,
        ...limitsOf(values),
        cpus: Number(values.cpus),
        memory: values.memory ? parseSize(values.memory) : null,
        gpus: Number(values.gpus)
      })
    )
  );
  if (refused?.field) {
    errors[refused.field] = refused.text;
  }
  const part: IPartProps = {
    values,
    errors,
    trans,
    set: change => {
      clear();
      setValues({ ...values, ...change });
    }
  };
  return (
    <form className="jp-perijove-form" onSubmit={submit}>
      <Field
        label={trans.__('Name')}
        value={values.name}
        error={errors.name}
        onChange={name => part.set({ name })}
      />
      <Field
        label={trans.__('Runs on')}
        value={values.on}
        error={errors.on}
        options={LAUNCHERS}
        describe={on => (on === 'local' ? trans.__('this machine') : on)}
        onChange={on => part.set({ on })}
      />
      <LimitFields {...part} />
      <Disclosure
        label={trans.__('Advanced')}
        show={[...NODE, LIMITS[2]].some(field => errors[field])}
      >
        <NodeFields {...part} />
        <IdleField {...part} />
      </Disclosure>
      <FormFooter
        label={busy ? trans.__('Creating…') : trans.__('Create')}
        refused={refused && !(refused.field && refused.field in values) ? refused.text : undefined}
        disabled={!isValid || busy}
        trans={trans}
        onCancel={() => onDone(null)}
      />
    </form>
  );
}

function ScaleForm(props: IFormProps & { target: Target }): React.ReactElement {
  const { manager, target, trans, onDone } = props;
  const idle = target.properties?.idle_seconds_before_scale_down;
  const [values, setValues] = React.useState<Values>(() => ({
    name: target.name,
    on: target.on,
    min_nodes: String(target.min_nodes),
    max_nodes: String(target.max_nodes),
    idle_seconds_before_scale_down: typeof idle === 'number' ? String(idle) : IDLE_SECONDS,
    cpus: '',
    memory: '',
    gpus: ''
  }));
  const errors = check(values, LIMITS, trans);
  const isValid = !Object.keys(errors).length;
  const { busy, refused, clear, submit } = useSubmit(async () =>
    onDone(await manager.scale(target.name, limitsOf(values)))
  );
  const isLimit = LIMITS.some(field => field === refused?.field);
  if (refused?.field && isLimit) {
    errors[refused.field] = refused.text;
  }
  const part: IPartProps = {
    values,
    errors,
    trans,
    set: change => {
      clear();
      setValues({ ...values, ...change });
    }
  };
  return (
    <form className="jp-perijove-form" onSubmit={submit}>
      <LimitFields {...part} />
      <IdleField {...part} />
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

function LimitFields({ values, errors, trans, set }: IPartProps): React.ReactElement {
  return (
    <>
      <Field
        label={trans.__('Min nodes')}
        value={values.min_nodes}
        error={errors.min_nodes}
        note={trans.__('Kept up also when no job waits.')}
        onChange={min_nodes => set({ min_nodes })}
      />
      <Field
        label={trans.__('Max nodes')}
        value={values.max_nodes}
        error={errors.max_nodes}
        note={trans.__('Nodes come as jobs wait, and leave when idle.')}
        onChange={max_nodes => set({ max_nodes })}
      />
    </>
  );
}

function NodeFields({ values, errors, trans, set }: IPartProps): React.ReactElement {
  return (
    <>
      <Field
        label={trans.__('CPUs')}
        hint={trans.__('per node')}
        value={values.cpus}
        error={errors.cpus}
        onChange={cpus => set({ cpus })}
      />
      <Field
        label={trans.__('Memory')}
        hint={trans.__('per node')}
        value={values.memory}
        error={errors.memory}
        placeholder={trans.__('not limited, or a size such as 4 GiB')}
        onChange={memory => set({ memory })}
      />
      <Field
        label={trans.__('GPUs')}
        hint={trans.__('per node')}
        value={values.gpus}
        error={errors.gpus}
        onChange={gpus => set({ gpus })}
      />
    </>
  );
}

function IdleField({ values, errors, trans, set }: IPartProps): React.ReactElement {
  return (
    <Field
      label={trans.__('Idle time')}
      hint={trans.__('seconds')}
      value={values.idle_seconds_before_scale_down}
      error={errors.idle_seconds_before_scale_down}
      note={trans.__('A node leaves after it has been idle for so long.')}
      onChange={text => set({ idle_seconds_before_scale_down: text })}
    />
  );
}

/** What can be seen to be wrong without asking the hub. */
function check(values: Values, fields: readonly Field[], trans: TranslationBundle): Errors {
  const errors: Errors = {};
  for (const field of fields) {
    if (field === 'memory') {
      if (values.memory && parseSize(values.memory) === null) {
        errors.memory = trans.__('a size, like 4 GiB');
      }
      continue;
    }
    const type = field === 'idle_seconds_before_scale_down' ? 'float' : 'int';
    const parsed = parse(type, values[field], trans);
    if ('error' in parsed) {
      errors[field] = parsed.error;
    }
  }
  if (
    !errors.min_nodes &&
    !errors.max_nodes &&
    Number(values.max_nodes) < Number(values.min_nodes)
  ) {
    errors.max_nodes = trans.__('not less than the minimum');
  }
  return errors;
}

function limitsOf(values: Values): { [field in (typeof LIMITS)[number]]: number } {
  return {
    min_nodes: Number(values.min_nodes),
    max_nodes: Number(values.max_nodes),
    idle_seconds_before_scale_down: Number(values.idle_seconds_before_scale_down)
  };
}

/** `train`, or `train-2` where that is taken. */
function freeName(manager: ComputeManager): string {
  let name = 'train';
  for (let number = 2; manager.get(name); number++) {
    name = `train-${number}`;
  }
  return name;
}
