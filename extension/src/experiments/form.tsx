/** The dialogs that ask for an experiment's name. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Experiment } from '../api';
import { formDialog, FormFooter, useSubmit } from '../components/dialog';
import { Field } from '../components/field';
import { ExperimentManager } from './manager';

/** Create an experiment, or rename and describe the one given; null when it was dismissed. */
export function askExperiment(
  manager: ExperimentManager,
  trans: TranslationBundle,
  experiment?: Experiment
): Promise<Experiment | null> {
  const title = experiment ? trans.__('Rename %1', experiment.name) : trans.__('New experiment');
  return formDialog<Experiment>(title, done => (
    <Form manager={manager} trans={trans} experiment={experiment} onDone={done} />
  ));
}

function Form(props: {
  manager: ExperimentManager;
  trans: TranslationBundle;
  experiment?: Experiment;
  onDone(experiment: Experiment | null): void;
}): React.ReactElement {
  const { manager, trans, experiment } = props;
  const [name, setName] = React.useState(experiment?.name ?? '');
  const [description, setDescription] = React.useState(experiment?.description ?? '');
  const form = useSubmit(async () => {
    props.onDone(
      experiment
        ? await manager.change(experiment.id, {
            ...(name !== experiment.name ? { name } : {}),
            description
          })
        : await manager.create(name, description)
    );
  });
  const error = (field: string) => (form.refused?.field === field ? form.refused.text : undefined);
  const isKnown = ['name', 'description'].includes(form.refused?.field ?? '');
  return (
    <form className="jp-perijove-form" onSubmit={form.submit}>
      <Field
        label={trans.__('Name')}
        value={name}
        error={error('name')}
        onChange={value => {
          setName(value);
          form.clear();
        }}
      />
      <Field
        label={trans.__('Description')}
        hint={trans.__('Markdown')}
        value={description}
        multiline={true}
        error={error('description')}
        onChange={setDescription}
      />
      <FormFooter
        label={experiment ? trans.__('Save') : trans.__('Create')}
        refused={isKnown ? undefined : form.refused?.text}
        disabled={form.busy || !name.trim()}
        trans={trans}
        onCancel={() => props.onDone(null)}
      />
    </form>
  );
}
