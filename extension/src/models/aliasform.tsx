/** Point an alias at a version, with a reason; who moved it meanwhile is told. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { ModelVersion, RegisteredModel } from '../api';
import { formDialog, FormFooter, useSubmit } from '../components/dialog';
import { Field } from '../components/field';
import { ModelManager } from './manager';

const USUAL = ['champion', 'challenger', 'staging', 'production'];

interface IAliasProps {
  manager: ModelManager;
  model: RegisteredModel;
  versions: readonly ModelVersion[];
  /** The version that is meant first. */
  version: string;
  alias?: string;
  trans: TranslationBundle;
}

export function moveAlias(props: IAliasProps): Promise<true | null> {
  const title = props.trans.__('Move an alias of %1', props.model.name);
  return formDialog<true>(title, done => <AliasForm {...props} done={done} />);
}

function AliasForm(props: IAliasProps & { done(value: true | null): void }): React.ReactElement {
  const { manager, trans, done, versions } = props;
  const [model, setModel] = React.useState(props.model);
  const [alias, setAlias] = React.useState(props.alias ?? 'champion');
  const [version, setVersion] = React.useState(props.version);
  const [reason, setReason] = React.useState('');
  const current = model.aliases?.find(known => known.alias === alias);
  const { busy, refused, clear, submit } = useSubmit(async () => {
    try {
      await manager.moveAlias(
        model.name,
        alias.trim(),
        version,
        reason.trim() || null,
        current?.version ?? null
      );
    } catch (error) {
      // where it points now is what the next try starts from
      await manager.read(model.name).then(setModel, () => undefined);
      throw error;
    }
    done(true);
  });
  const known = [...new Set([...(model.aliases ?? []).map(({ alias }) => alias), ...USUAL])];
  const fields = ['alias', 'version', 'reason'];
  return (
    <form className="jp-perijove-form" onSubmit={submit} onChange={clear}>
      <Field
        label={trans.__('Alias')}
        value={alias}
        proposals={known}
        error={refused?.field === 'alias' ? refused.text : undefined}
        note={
          current
            ? trans.__('Points at version %1 now%2', current.version, why(current.reason))
            : trans.__('There is none of this name yet: it is made.')
        }
        onChange={setAlias}
      />
      <Field
        label={trans.__('Version')}
        value={version}
        options={versions.map(({ version }) => version)}
        describe={number =>
          describe(
            versions.find(one => one.version === number),
            number
          )
        }
        error={refused?.field === 'version' ? refused.text : undefined}
        onChange={setVersion}
      />
      <Field
        label={trans.__('Reason')}
        note={trans.__('Kept with the alias.')}
        value={reason}
        multiline={true}
        error={refused?.field === 'reason' ? refused.text : undefined}
        onChange={setReason}
      />
      <FormFooter
        label={current ? trans.__('Move alias') : trans.__('Set alias')}
        refused={refused && !fields.includes(refused.field ?? '') ? refused.text : undefined}
        disabled={busy || !alias.trim() || !version}
        trans={trans}
        onCancel={() => done(null)}
      />
    </form>
  );
}

function why(reason: string | null | undefined): string {
  return reason ? `: ${reason}` : '.';
}

function describe(version: ModelVersion | undefined, number: string): string {
  const said = [version?.run_name, version?.aliases?.join(', ')].filter(Boolean);
  return said.length ? `${number} (${said.join('; ')})` : number;
}
