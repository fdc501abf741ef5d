/** Register a model: what a run has logged, a logged model, or files. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { ApiError, request, type ModelVersion, type NewVersion, type Run } from '../api';
import { formDialog, FormFooter, useSubmit } from '../components/dialog';
import { Field } from '../components/field';
import { bytes } from '../components/size';
import { Tabs } from '../components/tabs';
import { ModelManager } from './manager';

type Origin = 'run' | 'model' | 'files';
/** Of which an MLmodel can be written for a single file. */
const FLAVORS = ['', 'sklearn', 'onnx', 'lightgbm', 'xgboost', 'catboost'];

export interface IRegisterProps {
  manager: ModelManager;
  /** The model that a version is added to, if that is known. */
  name?: string;
  runId?: string;
  path?: string;
  modelId?: string;
  trans: TranslationBundle;
}

export function registerModel(props: IRegisterProps): Promise<ModelVersion | null> {
  return formDialog<ModelVersion>(props.trans.__('Register model'), done => (
    <RegisterForm {...props} done={done} />
  ));
}

function RegisterForm(
  props: IRegisterProps & { done(value: ModelVersion | null): void }
): React.ReactElement {
  const { manager, trans, done } = props;
  const [origin, setOrigin] = React.useState<Origin>(
    props.runId ? 'run' : props.modelId ? 'model' : props.name ? 'run' : 'files'
  );
  const [name, setName] = React.useState(props.name ?? '');
  const [runId, setRunId] = React.useState(props.runId ?? '');
  const [path, setPath] = React.useState(props.path ?? '');
  const [modelId, setModelId] = React.useState(props.modelId ?? '');
  const [files, setFiles] = React.useState<readonly File[]>([]);
  const [flavor, setFlavor] = React.useState('');
  const [description, setDescription] = React.useState('');
  const [alias, setAlias] = React.useState('');
  const [sent, setSent] = React.useState<string | null>(null);
  const logged = useLogged(manager, runId);
  React.useEffect(() => {
    if (!path && logged.length) {
      setPath(logged[0]);
    }
  }, [logged]);
  const { busy, refused, clear, submit } = useSubmit(async () => {
    const wish: NewVersion = { name: name.trim() };
    if (description.trim()) {
      wish.description = description.trim();
    }
    if (alias.trim()) {
      wish.alias = alias.trim();
    }
    if (origin === 'run') {
      Object.assign(wish, { run_id: runId.trim(), path: path.trim() });
    } else if (origin === 'model') {
      wish.model_id = modelId.trim();
    } else {
      wish.upload = await manager.upload(files, (at, total) =>
        setSent(trans.__('%1 of %2 sent', bytes(at), bytes(total)))
      );
      wish.flavor = flavor || null;
    }
    done(await manager.register(wish));
  });
  const error = (field: string) => (refused?.field === field ? refused.text : undefined);
  const shown = ['name', 'alias', 'description', 'flavor'].concat(
    { run: ['run_id', 'path'], model: ['model_id'], files: [] }[origin]
  );
  const isComplete =
    name.trim() && { run: runId.trim(), model: modelId.trim(), files: files.length > 0 }[origin];
  return (
    <form className="jp-perijove-form" onSubmit={submit} onChange={clear}>
      <Tabs<Origin>
        tabs={[
          { key: 'files', label: trans.__('Files') },
          { key: 'run', label: trans.__('From a run') },
          { key: 'model', label: trans.__('Logged model') }
        ]}
        current={origin}
        onChange={setOrigin}
      />
      <Field
        label={trans.__('Name')}
        value={name}
        proposals={manager.items.map(model => model.name)}
        note={
          manager.get(name.trim())
            ? trans.__('Becomes version %1 or later.', nextOf(manager, name.trim()))
            : undefined
        }
        error={error('name')}
        onChange={setName}
      />
      {origin === 'run' && (
        <>
          <Field
            label={trans.__('Run')}
            hint={trans.__('its id')}
            value={runId}
            error={error('run_id')}
            onChange={setRunId}
          />
          <Field
            label={trans.__('Logged as')}
            note={trans.__("A logged model's name, or a path of its artifacts.")}
            value={path}
            placeholder={trans.__('model')}
            proposals={logged}
            error={error('path')}
            onChange={setPath}
          />
        </>
      )}
      {origin === 'model' && (
        <Field
          label={trans.__('Logged model')}
          hint={trans.__('its id')}
          value={modelId}
          placeholder={trans.__('m-…')}
          error={error('model_id')}
          onChange={setModelId}
        />
      )}
      {origin === 'files' && (
        <>
          <Files files={files} trans={trans} onChange={setFiles} />
          {!files.some(isMLmodel) && (
            <Field
              label={trans.__('Flavor')}
              note={trans.__('For one file: an MLmodel is written for it.')}
              value={flavor}
              options={FLAVORS}
              describe={option => option || trans.__('None: keep the files as they are')}
              error={error('flavor')}
              onChange={setFlavor}
            />
          )}
        </>
      )}
      <Field
        label={trans.__('Alias')}
        note={trans.__('Optional. If another version has it, it moves here.')}
        value={alias}
        error={error('alias')}
        onChange={setAlias}
      />
      <Field
        label={trans.__('Description')}
        hint={trans.__('Markdown, optional')}
        value={description}
        multiline={true}
        error={error('description')}
        onChange={setDescription}
      />
      {busy && sent && <p className="jp-perijove-note">{sent}</p>}
      <FormFooter
        label={trans.__('Register')}
        refused={refused && !shown.includes(refused.field ?? '') ? refused.text : undefined}
        disabled={busy || !isComplete}
        trans={trans}
        onCancel={() => done(null)}
      />
    </form>
  );
}

/** Files or a folder, chosen or dropped. */
function Files(props: {
  files: readonly File[];
  trans: TranslationBundle;
  onChange(files: readonly File[]): void;
}): React.ReactElement {
  const { files, trans, onChange } = props;
  const one = React.useRef<HTMLInputElement>(null);
  const folder = React.useRef<HTMLInputElement>(null);
  const [over, setOver] = React.useState(false);
  const total = files.reduce((sum, file) => sum + file.size, 0);
  const chosen = (input: HTMLInputElement) => input.files?.length && onChange([...input.files]);
  return (
    <div
      className={`jp-perijove-drop${over ? ' jp-mod-over' : ''}`}
      onDragOver={event => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={event => {
        event.preventDefault();
        setOver(false);
        if (event.dataTransfer.files.length) {
          onChange([...event.dataTransfer.files]);
        }
      }}
    >
      <input
        ref={one}
        type="file"
        multiple={true}
        hidden={true}
        aria-label={trans.__('Files')}
        onChange={event => chosen(event.target)}
      />
      <input
        ref={folder}
        type="file"
        hidden={true}
        aria-label={trans.__('Folder')}
        // React does not know it
        {...{ webkitdirectory: '' }}
        onChange={event => chosen(event.target)}
      />
      <p>
        {files.length
          ? trans._n('%1 file, %2', '%1 files, %2', files.length, bytes(total))
          : trans.__('Drop files here, of any framework, or')}
      </p>
      <button
        type="button"
        className="jp-Button jp-mod-styled jp-mod-minimal"
        onClick={() => one.current!.click()}
      >
        {trans.__('Choose files…')}
      </button>
      <button
        type="button"
        className="jp-Button jp-mod-styled jp-mod-minimal"
        onClick={() => folder.current!.click()}
      >
        {trans.__('Choose a folder…')}
      </button>
      {files.length > 0 && (
        <ul>
          {files.slice(0, 6).map(file => (
            <li key={file.webkitRelativePath || file.name}>
              <bdi>{file.webkitRelativePath || file.name}</bdi>
              <span>{bytes(file.size)}</span>
            </li>
          ))}
          {files.length > 6 && <li>…</li>}
        </ul>
      )}
    </div>
  );
}

function isMLmodel(file: File): boolean {
  return file.name === 'MLmodel';
}

function nextOf(manager: ModelManager, name: string): number {
  return Number(manager.get(name)?.latest_version ?? 0) + 1;
}

/** Names of what the run has logged as models. */
function useLogged(manager: ModelManager, runId: string): string[] {
  const [logged, setLogged] = React.useState<string[]>([]);
  React.useEffect(() => {
    let isLeft = false;
    setLogged([]);
    if (/^[0-9a-f]{32}$/.test(runId.trim())) {
      request<Run>(manager.settings, `runs/${runId.trim()}`).then(
        run => !isLeft && setLogged((run.logged_models ?? []).map(model => model.name)),
        // an unknown run is said when it is sent
        (error: ApiError) => void error
      );
    }
    return () => void (isLeft = true);
  }, [runId]);
  return logged;
}
