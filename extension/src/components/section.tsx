/** A section of the left panel: a title to fold it by, how much there is, and what can be done. */
import { ISignal } from '@lumino/signaling';
import { CommandRegistry } from '@lumino/commands';
import {
  addIcon,
  CommandToolbarButton,
  PanelWithToolbar,
  ReactWidget,
  Toolbar,
  UseSignal
} from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

export interface ISectionOptions {
  label: string;
  /** How much there is, in a word. */
  count(): string;
  /** Fires when that, or what is listed, changed. */
  changed: ISignal<unknown, unknown>;
  tools: Record<string, Widget>;
  body: React.ReactElement;
}

export class Section extends PanelWithToolbar {
  constructor(options: ISectionOptions) {
    super();
    const { label, count, changed, tools, body } = options;
    this.addClass('jp-perijove-section');
    this.title.label = label;
    this.toolbar.node.setAttribute('aria-label', label);
    const said = () => <span className="jp-perijove-count">{count()}</span>;
    this.toolbar.addItem(
      'count',
      ReactWidget.create(<UseSignal signal={changed}>{said}</UseSignal>)
    );
    this.toolbar.addItem('spacer', Toolbar.createSpacerItem());
    Object.entries(tools).forEach(([name, tool]) => this.toolbar.addItem(name, tool));
    const content = ReactWidget.create(body);
    content.addClass('jp-perijove-section-body');
    this.addWidget(content);
  }
}

/** The button that makes another of what a section lists. */
export function addButton(commands: CommandRegistry, id: string, caption: string): Widget {
  return new CommandToolbarButton({ commands, id, caption, label: '', icon: addIcon });
}
