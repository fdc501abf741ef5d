/** *Run on…*: a form made from the notebook's parameters cell. */
import { Dialog, ReactWidget } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import {
  ApiError,
  type Environment,
  type Job,
  type JobDefinition,
  type NotebookInspection
} from '../api';
import { Field } from '../components/field';
import { JobManager } from './manager';
import { changedValues, initialText, parse } from './parameters';

interface IFormProps {
  manager: JobManager;
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
  save: boolean;
}

/** Ask how to run `path`, submit it; null when it was dismissed. */
export async function runOn(
  manager: JobManager,
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
    path,
    inspection,
    environments,
    experiments: experiments.map(experiment => experiment.name),
    from,
    trans
  };
  return new Promise(resolve => {
    const body = new FormBody({
      ...props,
      onDone: job => {
        resolve(job);
        dialog.dispose();
      }
    });
    const dialog = new Dialog<unknown>({
      title: trans.__('Run %1', path.split('/').pop() ?? path),
      body,
      buttons: [],
      focusNodeSelector: 'input'
    });
    dialog.addClass('jp-perijove-dialog');
    dialog.launch().then(
      () => resolve(null),
      () => resolve(null)
    );
  });
}

class FormBody extends ReactWidget {
  constructor(private _props: IFormProps) {
    super();
  }

  getValue(): null {
    return null;
  }

  protected render(): React.ReactElement {
    return <Form {...this._props} />;
  }
}

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
    save: false
  }));
  const [refused, setRefused] = React.useState<{ field: string | null; text: string } | null>(null);
  const [busy, setBusy] = React.useState(false);
  const set = (change: Partial<IValues>) => {
    setRefused(null);
    setValues({ ...values, ...change });
  };
  const { values: parameters, errors } = changedValues(
    inspection.parameters,
    values.parameters,
    trans
  );
  for (const [field, type] of [
    ['timeout', 'float'],
    ['retries', 'int']
  ] as const) {
    const parsed = values[field] ? parse(type, values[field], trans) : null;
    if (parsed && 'error' in parsed) {
      errors[field] = parsed.error;
    }
  }
  if (refused?.field) {
    errors[refused.field.split('.').pop()!] = refused.text;
  }
  const shownFields = new Set([
    ...Object.keys(values.parameters),
    'name',
    'compute',
    'environment',
    'experiment',
    'timeout',
    'retries'
  ]);
  const elsewhere = refused && !(refused.field && shownFields.has(refused.field.split('.').pop()!));
  const valid = !Object.keys(errors).length;

  const submit = async (event: React.FormEvent) => {
    event.preventDefault();
    if (!valid || busy) {
      return;
    }
    setBusy(true);
    const definition: JobDefinition = {
      path: props.path,
      parameters: parameters as JobDefinition['parameters'],
      compute: values.compute,
      environment: values.environment,
      ...(values.name && { name: values.name }),
      ...(values.experiment && { experiment: values.experiment }),
      ...(values.timeout && { timeout: Number(values.timeout) }),
      ...(values.retries && { retries: Number(values.retries) }),
      ...(start.tags && { tags: start.tags })
    };
    try {
      const job = await manager.submit(definition);
      if (values.save) {
        await manager.saveDefinition(definition);
      }
      props.onDone(job);
    } catch (error) {
      setBusy(false);
      const known = error instanceof ApiError;
      setRefused({ field: known ? error.field : null, text: known ? error.text : String(error) });
    }
  };
  const targets = manager.status?.targets ?? [];
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
        options={targets.length ? targets.map(target => target.name) : ['local']}
        describe={name => {
          const target = targets.find(candidate => candidate.name === name);
          return target
            ? `${name} · ${trans.__('%1 of %2 busy', target.running_jobs, target.slots)}`
            : name;
        }}
        onChange={compute => set({ compute })}
      />
      <Field
        label={trans.__('Environment')}
        value={values.environment}
        error={errors.environment}
        options={props.environments.map(environment => environment.name)}
        describe={name => {
          const found = props.environments.find(environment => environment.name === name);
          const warm = found?.warm ? ` · ${trans.__('starts warm')}` : '';
          return `${found?.display_name ?? name}${warm}`;
        }}
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
      <details open={Boolean(errors.timeout || errors.retries || errors.name)}>
        <summary>{trans.__('More')}</summary>
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
      </details>
      <label className="jp-perijove-check">
        <input
          type="checkbox"
          checked={values.save}
          onChange={event => set({ save: event.target.checked })}
        />
        {trans.__('Save as run configuration beside the notebook')}
      </label>
      {elsewhere && (
        <p className="jp-perijove-error" role="alert">
          {refused.text}
        </p>
      )}
      <footer>
        <button
          type="button"
          className="jp-Button jp-mod-styled jp-mod-reject"
          onClick={() => props.onDone(null)}
        >
          {trans.__('Cancel')}
        </button>
        <button
          type="submit"
          className="jp-Button jp-mod-styled jp-mod-accept"
          disabled={!valid || busy}
        >
          {trans.__('Run')}
        </button>
      </footer>
    </form>
  );
}
