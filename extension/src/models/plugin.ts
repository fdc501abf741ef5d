/** Puts registered models into JupyterLab: the verbs on them and their documents. */
import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Clipboard, ICommandPalette, Notification, WidgetTracker } from '@jupyterlab/apputils';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator } from '@jupyterlab/translation';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { showDocument } from '../components/document';
import { IWorkspace } from '../workspace';
import type { ModelDocument } from './document';
import { CommandIDs, MODEL_ARGS, PLUGIN_ID } from './tokens';

export const modelsPlugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Shows registered models, registers them, moves their aliases, deletes them.',
  autoStart: true,
  requires: [IWorkspace, ITranslator, IRenderMimeRegistry, IEditorLanguageRegistry],
  optional: [ILayoutRestorer, ICommandPalette],
  activate
};

interface IMeant {
  name: string;
  version?: string;
}

function activate(
  app: JupyterFrontEnd,
  workspace: IWorkspace,
  translator: ITranslator,
  rendermime: IRenderMimeRegistry,
  languages: IEditorLanguageRegistry,
  restorer: ILayoutRestorer | null,
  palette: ICommandPalette | null
): void {
  const { commands, shell } = app;
  const manager = workspace.models;
  const trans = translator.load('perijove');
  const category = trans.__('Perijove');
  const tracker = new WidgetTracker<ModelDocument>({ namespace: 'perijove-models' });
  // loaded when it is needed first: JupyterLab starts without it
  const actions = () => import('./actions');

  const open = async (name: string, version?: string) => {
    const { ModelDocument } = await import('./document');
    const shown = showDocument(
      shell,
      tracker,
      document => document.name === name,
      () => new ModelDocument({ name, manager, commands, rendermime, languages, trans })
    );
    if (version) {
      shown.showVersion(version);
    }
  };

  /** The model that is meant: named, under the mouse, or the document in front. */
  const meant = (args: ReadonlyPartialJSONObject): IMeant | null => {
    if (typeof args.name === 'string') {
      return { name: args.name, version: args.version as string | undefined };
    }
    if (args.palette) {
      const document = tracker.find(candidate => candidate === shell.currentWidget);
      return document ? { name: document.name } : null;
    }
    const row = app.contextMenuHitTest(node => Boolean(node.dataset.modelName));
    const { modelName, modelVersion } = row?.dataset ?? {};
    return modelName ? { name: modelName, version: modelVersion } : null;
  };
  /** A verb on a model or a version; from the palette it asks which. */
  const verb = (
    id: string,
    label: string | ((target: IMeant | null) => string),
    title: string,
    act: (target: IMeant) => Promise<unknown>,
    can: (target: IMeant) => boolean = () => true
  ) => {
    commands.addCommand(id, {
      label: args =>
        args.palette ? title : typeof label === 'string' ? label : label(meant(args)),
      describedBy: { args: MODEL_ARGS },
      isVisible: args => {
        const target = meant(args);
        return Boolean(args.palette) || (target !== null && can(target));
      },
      execute: async args => {
        const { chooseModel, guarded } = await actions();
        let target = meant(args);
        if (!target && args.palette) {
          const name = await chooseModel(title, manager, trans);
          target = name ? { name } : null;
        }
        const found = target;
        if (found) {
          await guarded(title, () => act(found));
        }
      }
    });
    palette?.addItem({ command: id, args: { palette: true }, category });
  };
  const isModel = ({ version }: IMeant) => version === undefined;
  const isArchived = async ({ name, version }: IMeant) =>
    version === undefined
      ? (await manager.read(name)).archived
      : (await manager.versions(name)).find(one => one.version === version)?.archived;

  verb(CommandIDs.open, trans.__('Open'), trans.__('Open model…'), ({ name, version }) =>
    open(name, version)
  );
  verb(
    CommandIDs.alias,
    trans.__('Set alias…'),
    trans.__('Set alias of model…'),
    async ({ name, version }) => {
      const [model, versions] = await Promise.all([manager.read(name), manager.versions(name)]);
      const { moveAlias } = await import('./aliasform');
      const first = version ?? model.latest_version ?? '';
      await moveAlias({ manager, model, versions, version: first, trans });
    }
  );
  verb(
    CommandIDs.copy,
    trans.__('Copy code that loads it'),
    trans.__('Copy code that loads a model…'),
    async ({ name, version }) => {
      const { bestUri, loadCode, uriOf } = await import('./format');
      const model = await manager.read(name);
      const number = version ?? model.latest_version ?? '1';
      const facts = await manager.facts(name, number).catch(() => null);
      const uri = version ? uriOf(name, { version }) : bestUri(model);
      Clipboard.copyToSystem(loadCode(uri, facts));
      Notification.info(trans.__('Copied: code that loads %1', uri), { autoClose: 3000 });
    }
  );
  verb(
    CommandIDs.download,
    trans.__('Download'),
    trans.__('Download model…'),
    async ({ name, version }) => {
      const number = version ?? (await manager.read(name)).latest_version;
      if (number) {
        const link = document.createElement('a');
        link.href = manager.downloadUrl(name, number);
        link.download = '';
        link.click();
      }
    }
  );
  verb(
    CommandIDs.rename,
    trans.__('Rename…'),
    trans.__('Rename model…'),
    async ({ name }) => {
      const made = await (await actions()).renameModel(manager, trans, name);
      const document = tracker.find(candidate => candidate.name === name);
      if (made && document) {
        document.dispose();
        await open(made);
      }
    },
    isModel
  );
  verb(
    CommandIDs.archive,
    trans.__('Archive or unarchive'),
    trans.__('Archive or unarchive model…'),
    async target => {
      const archived = !(await isArchived(target));
      await (target.version === undefined
        ? manager.change(target.name, { archived })
        : manager.changeVersion(target.name, target.version, { archived }));
    }
  );
  verb(
    CommandIDs.remove,
    trans.__('Delete…'),
    trans.__('Delete model…'),
    async ({ name, version }) => {
      const isDone = await (await actions()).deleteModel(manager, trans, name, version);
      if (isDone && version === undefined) {
        tracker.find(candidate => candidate.name === name)?.dispose();
      }
    }
  );

  commands.addCommand(CommandIDs.register, {
    label: trans.__('Register model…'),
    caption: trans.__('Register what a run has logged, a logged model, or files'),
    describedBy: {
      args: {
        type: 'object',
        properties: {
          name: { type: 'string', description: trans.__('The model, if it is known') },
          runId: { type: 'string', description: trans.__('The run that has logged it') },
          path: { type: 'string', description: trans.__('What the run has logged it as') },
          modelId: { type: 'string', description: trans.__('The logged model') },
          row: { type: 'boolean', description: trans.__('From the run that was clicked') }
        }
      }
    },
    execute: async args => {
      const { registerModel } = await import('./registerform');
      const text = (...keys: string[]) =>
        keys.map(key => args[key]).find(value => typeof value === 'string') as string | undefined;
      const row = args.row && app.contextMenuHitTest(node => Boolean(node.dataset.runId));
      const made = await registerModel({
        manager,
        name: text('name'),
        runId: text('runId', 'run_id') ?? (row ? row.dataset.runId : undefined),
        path: text('path'),
        modelId: text('modelId', 'model_id'),
        trans
      });
      if (made) {
        await open(made.name, made.version);
      }
      return made?.version ?? null;
    }
  });
  palette?.addItem({ command: CommandIDs.register, category });

  // a restored document opens before the list is known
  commands.addCommand('perijove:restore-model', {
    describedBy: { args: MODEL_ARGS },
    execute: args => open(args.name as string)
  });
  void restorer?.restore(tracker, {
    command: 'perijove:restore-model',
    args: document => ({ name: document.name }),
    name: document => document.name
  });
}
