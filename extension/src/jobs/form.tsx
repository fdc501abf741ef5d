/** *Run on…*: a form made from the notebook's parameters cell. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Environment, Job, JobDefinition, NotebookInspection } from '../api';
import { Disclosure, FormFooter, formDialog, useSubmit } from '../components/dialog';
import { Field } from '../components/field';
import { useSignal } from '../components/signal';
import { exactSize, parseSize } from '../components/size';
import { occupancy } from '../compute/format';
import { ComputeManager, isOff } from '../compute/manager';
import { describeEnvironment } from './environments';
import { JobManager } from './manager';
import { changedValues, initialText, parse } from './parameters';

interface IFormProps {
  manager: JobManager;
  compute: ComputeManager;
  path: string;
  inspection: NotebookInspection;
  environments: Environment[];
  experiments: string[];
  /** Values to start with, instead of the saved run configuration. */
  from?: Partial<JobDefinition>;
  trans: TranslationBundle;
  onDone(job: Job | null): void;
}

interface IValues {
  parameters: Record<string, string>;
  name: string;
  compute: string;
  environment: string;
  experiment: string;
  timeout: string;
  retries: string;
  cpus: string;
  memory: string;
  gpus: string;
  priority: string;
  save: boolean;
}

/** Ask how to run `path`, submit it; null when it was dismissed. */
export async function runOn(
  manager: JobManager,
  compute: ComputeManager,
  path: string,
  trans: TranslationBundle,
  from?: Partial<JobDefinition>
): Promise<Job | null> {
  const [inspection, environments, experiments] = await Promise.all([
    manager.inspect(path),
    manager.environments(),
    // MLflow may be starting still: its names are only proposals
    manager.experiments().catch(() => [])
  ]);
  const props = {
    manager,
    compute,
    path,
    inspection,
    environments,
    experiments: experiments.map(experiment => experiment.name),
    from,
    trans
  };
  const title = trans.__('Run %1', path.split('/').pop() ?? path);
  return formDialog<Job>(title, done => <Form {...props} onDone={done} />);
}

/** Fields that may be left empty, with what their text stands for. */
const NUMBERS = [
  ['timeout', 'float'],
  ['retries', 'int'],
  ['cpus', 'int'],
  ['gpus', 'int'],
  ['priority', 'int']
] as const;
const ADVANCED = ['name', 'timeout', 'retries', 'cpus', 'memory', 'gpus', 'priority'];

function Form(props: IFormProps): React.ReactElement {
  const { inspection, trans, manager } = props;
  const start = props.from ?? (inspection.definition as Partial<JobDefinition>) ?? {};
  const [values, setValues] = React.useState<IValues>(() => ({
    parameters: Object.fromEntries(
      inspection.parameters.map(parameter => [
        parameter.name,
        initialText(parameter, start.parameters?.[parameter.name])
      ])
    ),
    name: start.name ?? '',
    compute: start.compute ?? 'local',
    environment: start.environment ?? inspection.kernelspec ?? 'python3',
    experiment: start.experiment ?? '',
    timeout: start.timeout ? String(start.timeout) : '',
    retries: start.retries ? String(start.retries) : '',
    cpus: start.cpus && start.cpus > 1 ? String(start.cpus) : '',
    memory: start.memory ? exactSize(start.memory) : '',
    gpus: start.gpus ? String(start.gpus) : '',
    priority: start.priority ? String(start.priority) : '',
    save: false
  }));
  const set = (change: Partial<IValues>) => {
    clear();
    setValues({ ...values, ...change });
  };
  const { values: parameters, errors } = changedValues(
    inspection.parameters,
    values.parameters,
    trans
  );
  for (const [field, type] of NUMBERS) {
    const parsed = values[field] ? parse(type, values[field], trans) : null;
    if (parsed && 'error' in parsed) {
      errors[field] = parsed.error;
    }
  }
  const memory = values.memory ? parseSize(values.memory) : null;
  if (values.memory && memory === null) {
    errors.memory = trans.__('a size, like 4 GiB');
  }
  const valid = !Object.keys(errors).length;

  const { busy, refused, clear, submit } = useSubmit(async () => {
    const definition: JobDefinition = {
      path: props.path,
      parameters: parameters as JobDefinition['parameters'],
      compute: values.compute,
      environment: values.environment,
      ...(values.name && { name: values.name }),
      ...(values.experiment && { experiment: values.experiment }),
      ...(values.timeout && { timeout: Number(values.timeout) }),
      ...(values.retries && { retries: Number(values.retries) }),
      ...(values.cpus && { cpus: Number(values.cpus) }),
      ...(memory && { memory }),
      ...(values.gpus && { gpus: Number(values.gpus) }),
      ...(values.priority && { priority: Number(values.priority) }),
      ...(start.tags && { tags: start.tags })
    };
    const job = await manager.submit(definition);
    if (values.save) {
      await manager.saveDefinition(definition);
    }
    props.onDone(job);
  });
  const isShown = (field: string) => field in values.parameters || field in values;
  if (refused?.field) {
    errors[refused.field] = refused.text;
  }
  useSignal(props.compute.changed);
  const { targets } = props.compute;
  const target = props.compute.get(values.compute);
  const environment = props.environments.find(({ name }) => name === values.environment);
  return (
    <form className="jp-perijove-form" onSubmit={submit}>
      {inspection.parameters.map(parameter => (
        <Field
          key={parameter.name}
          label={parameter.name}
          hint={parameter.type === 'None' ? '' : parameter.type}
          note={parameter.help}
          error={errors[parameter.name]}
          value={values.parameters[parameter.name]}
          options={parameter.type === 'bool' ? ['true', 'false'] : undefined}
          onChange={text => set({ parameters: { ...values.parameters, [parameter.name]: text } })}
        />
      ))}
      {!inspection.parameters.length && inspection.language === 'python' && (
        <p className="jp-perijove-hint">
          {inspection.has_parameters_cell
            ? trans.__('The parameters cell sets no variables.')
            : trans.__('Give a cell the tag "parameters" and its variables appear here.')}
        </p>
      )}
      <hr />
      <Field
        label={trans.__('Compute')}
        value={values.compute}
        error={errors.compute}
        options={targets.length ? targets.map(candidate => candidate.name) : ['local']}
        describe={name => {
          const found = props.compute.get(name);
          return found ? `${name} · ${occupancy(found, trans)}` : name;
        }}
        note={
          target && isOff(target)
            ? trans.__('It is not running: it has to be started, and the job waits until then.')
            : target?.state === 'unusable'
              ? trans.__('It is out of reach: the job waits until it is back.')
              : undefined
        }
        onChange={compute => set({ compute })}
      />
      <Field
        label={trans.__('Environment')}
        value={values.environment}
        error={errors.environment}
        options={props.environments.map(({ name }) => name)}
        describe={name => describeEnvironment(props.environments, name, trans)}
        note={
          environment?.kind === 'built' && environment.state !== 'ready'
            ? environment.state === 'failed'
              ? trans.__('It could not be built: the job would fail.')
              : trans.__('It is being built: the job waits until it is ready.')
            : undefined
        }
        onChange={environment => set({ environment })}
      />
      <Field
        label={trans.__('Experiment')}
        value={values.experiment}
        error={errors.experiment}
        placeholder={inspection.experiment}
        proposals={props.experiments}
        onChange={experiment => set({ experiment })}
      />
      <Disclosure label={trans.__('Advanced')} show={ADVANCED.some(field => errors[field])}>
        <Field
          label={trans.__('Name')}
          value={values.name}
          error={errors.name}
          placeholder={(props.path.split('/').pop() ?? '').replace(/\.(ipynb|py)$/, '')}
          onChange={name => set({ name })}
        />
        <Field
          label={trans.__('Timeout')}
          hint={trans.__('seconds')}
          value={values.timeout}
          error={errors.timeout}
          placeholder={trans.__('none')}
          onChange={timeout => set({ timeout })}
        />
        <Field
          label={trans.__('Retries')}
          value={values.retries}
          error={errors.retries}
          placeholder="0"
          onChange={retries => set({ retries })}
        />
        <Field
          label={trans.__('CPUs')}
          value={values.cpus}
          error={errors.cpus}
          placeholder="1"
          onChange={cpus => set({ cpus })}
        />
        <Field
          label={trans.__('Memory')}
          value={values.memory}
          error={errors.memory}
          placeholder={trans.__('not limited, or a size such as 4 GiB')}
          onChange={text => set({ memory: text })}
        />
        <Field
          label={trans.__('GPUs')}
          value={values.gpus}
          error={errors.gpus}
          placeholder="0"
          onChange={gpus => set({ gpus })}
        />
        <Field
          label={trans.__('Priority')}
          value={values.priority}
          error={errors.priority}
          placeholder={trans.__('0; higher ones begin first')}
          onChange={priority => set({ priority })}
        />
      </Disclosure>
      <label className="jp-perijove-check">
        <input
          type="checkbox"
          checked={values.save}
          onChange={event => set({ save: event.target.checked })}
        />
        {trans.__('Save as run configuration beside the notebook')}
      </label>
      <FormFooter
        label={trans.__('Run')}
        refused={refused && !(refused.field && isShown(refused.field)) ? refused.text : undefined}
        disabled={!valid || busy}
        trans={trans}
        onCancel={() => props.onDone(null)}
      />
    </form>
  );
}
