/** The panel's rows: a registered model, one of its versions, and that there are more. */
import { TranslationBundle } from '@jupyterlab/translation';
import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { ModelVersion, RegisteredModel } from '../api';
import { modelIcon } from '../components/icons';
import { type IRowPlace, rowProps } from '../components/rowlist';
import { ago } from '../jobs/format';
import { Badge } from './badges';
import { dragModel } from './drag';
import { bestUri, figure, uriOf } from './format';
import type { ModelManager } from './manager';

interface IShared {
  id: string;
  manager: ModelManager;
  place: IRowPlace;
  now: number;
  trans: TranslationBundle;
  onOpen(): void;
}

export function ModelRow(
  props: IShared & { model: RegisteredModel; open: boolean; onFold(): void }
): React.ReactElement {
  const { model, now, trans, open } = props;
  const { name, latest_version: latest, updated_at: changed } = model;
  const said = [
    model.archived ? trans.__('archived') : '',
    trans._n('%1 version', '%1 versions', model.versions),
    changed ? ago(changed, trans, now) : ''
  ].filter(Boolean);
  const caret = open ? caretDownIcon : caretRightIcon;
  const aliases = model.aliases ?? [];
  const told = [
    name,
    aliases.map(({ alias, version }) => `${alias} → ${version}`).join(', '),
    model.description?.slice(0, 300)
  ];
  return (
    <div
      {...rowProps(props.id, props.place)}
      aria-level={1}
      aria-expanded={model.versions ? open : undefined}
      data-model-name={name}
      title={told.filter(Boolean).join('\n')}
      onMouseDown={event => {
        props.place.onSelect(props.id);
        if (latest) {
          dragModel(event, props.manager, { name, version: latest, uri: bestUri(model) });
        }
      }}
      onClick={props.onOpen}
    >
      <span
        className="jp-perijove-fold"
        title={open ? trans.__('Hide versions') : trans.__('Show versions')}
        onClick={event => {
          event.stopPropagation();
          props.onFold();
        }}
      >
        {model.versions > 0 && <caret.react tag="span" width="16px" height="16px" />}
        <modelIcon.react tag="span" className="jp-perijove-kind" width="14px" height="14px" />
      </span>
      <div className="jp-perijove-row-text">
        <div className="jp-perijove-row-first">
          <span className="jp-perijove-row-name">
            <bdi>{name}</bdi> <small>{latest ? `v${latest}` : ''}</small>
          </span>
          <span className="jp-perijove-badges">
            {!open &&
              aliases
                .slice(0, 3)
                .map(alias => (
                  <Badge key={alias.alias} alias={alias} version={true} trans={trans} />
                ))}
          </span>
        </div>
        <span className="jp-perijove-row-summary">{said.join(' · ')}</span>
      </div>
    </div>
  );
}

export function VersionRow(
  props: IShared & { model: RegisteredModel; version: ModelVersion }
): React.ReactElement {
  const { model, version: one, now, trans } = props;
  const { name, version } = one;
  const [metric] = Object.entries(one.metrics ?? {});
  const aliases = model.aliases?.filter(alias => alias.version === version) ?? [];
  const said = [
    one.archived ? trans.__('archived') : '',
    metric ? `${metric[0]} ${figure(metric[1])}` : '',
    one.created_at ? ago(one.created_at, trans, now) : ''
  ].filter(Boolean);
  const uri = aliases.length ? uriOf(name, { alias: aliases[0].alias }) : uriOf(name, { version });
  return (
    <div
      {...childProps(props)}
      data-model-name={name}
      data-model-version={version}
      title={[`${name} v${version}`, one.description?.slice(0, 300)].filter(Boolean).join('\n')}
      onMouseDown={event => {
        props.place.onSelect(props.id);
        dragModel(event, props.manager, { name, version, uri });
      }}
      onClick={props.onOpen}
    >
      <div className="jp-perijove-row-first">
        <span className="jp-perijove-row-name">
          {`v${version}`} <small>{said.join(' · ')}</small>
        </span>
        <span className="jp-perijove-badges">
          {aliases.map(alias => (
            <Badge key={alias.alias} alias={alias} trans={trans} />
          ))}
        </span>
      </div>
    </div>
  );
}

/** Opens the model, which has all of them. */
export function MoreRow(props: {
  id: string;
  place: IRowPlace;
  text: string;
  onOpen(): void;
}): React.ReactElement {
  return (
    <div {...childProps(props)} onClick={props.onOpen}>
      <span className="jp-perijove-row-summary">{props.text}</span>
    </div>
  );
}

/** What a row beneath a model's puts on its outermost element. */
function childProps({ id, place }: { id: string; place: IRowPlace }) {
  const { className, ...row } = rowProps(id, place);
  return { ...row, className: `${className} jp-perijove-versionrow`, 'aria-level': 2 };
}
