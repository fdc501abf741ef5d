/** A tag for some runs. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { formDialog, FormFooter, useSubmit } from '../components/dialog';
import { Field } from '../components/field';
import type { RunManager } from './manager';

/** Runs that are changed at a time. */
const TOGETHER = 6;

/** Ask for a tag and set it on the runs; an empty value removes it. */
export async function askTag(
  manager: RunManager,
  runIds: readonly string[],
  trans: TranslationBundle,
  tag: { key: string; value: string } = { key: '', value: '' }
): Promise<void> {
  const title = trans._n('Tag %1 run', 'Tag %1 runs', runIds.length);
  await formDialog<true>(title, done => (
    <Form manager={manager} runIds={runIds} trans={trans} tag={tag} onDone={done} />
  ));
}

function Form(props: {
  manager: RunManager;
  runIds: readonly string[];
  trans: TranslationBundle;
  tag: { key: string; value: string };
  onDone(done: true | null): void;
}): React.ReactElement {
  const { manager, runIds, trans } = props;
  const [key, setKey] = React.useState(props.tag.key);
  const [value, setValue] = React.useState(props.tag.value);
  const form = useSubmit(async () => {
    for (let at = 0; at < runIds.length; at += TOGETHER) {
      const some = runIds.slice(at, at + TOGETHER);
      await Promise.all(
        some.map(id => manager.change(id, { tags: { [key.trim()]: value || null } }))
      );
    }
    props.onDone(true);
  });
  return (
    <form className="jp-perijove-form" onSubmit={form.submit}>
      <Field label={trans.__('Tag')} value={key} onChange={setKey} />
      <Field
        label={trans.__('Value')}
        value={value}
        note={trans.__('Without a value the tag is removed.')}
        onChange={setValue}
      />
      <FormFooter
        label={value ? trans.__('Tag') : trans.__('Remove the tag')}
        refused={form.refused?.text}
        disabled={form.busy || !key.trim()}
        trans={trans}
        onCancel={() => props.onDone(null)}
      />
    </form>
  );
}
