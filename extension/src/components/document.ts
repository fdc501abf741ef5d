/** What the documents in the main area have in common. */
import { JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, ReactWidget, WidgetTracker } from '@jupyterlab/apputils';
import { LabIcon } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

export interface ITab {
  id: string;
  icon: LabIcon;
  label: string;
  caption?: string;
}

/** A document below its tab, without the toolbar that JupyterLab gives it. */
export class Document<T extends Widget> extends MainAreaWidget<T> {
  constructor(content: T, tab: ITab) {
    super({ content });
    this.id = tab.id;
    this.title.icon = tab.icon;
    this.title.label = tab.label;
    this.title.caption = tab.caption ?? '';
    this.title.closable = true;
    this.toolbar.hide();
  }
}

/** What a document draws; anew when it is shown or hidden, which its parts may want to know. */
export abstract class DocumentView extends ReactWidget {
  constructor() {
    super();
    this.addClass('jp-perijove-document');
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.update();
  }

  protected onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.update();
  }
}

/** Bring the document that is meant to the front; make it if it is not open. */
export function showDocument<T extends Widget>(
  shell: JupyterFrontEnd.IShell,
  tracker: WidgetTracker<T>,
  isMeant: (document: T) => boolean,
  make: () => T
): T {
  let document = tracker.find(isMeant);
  if (!document) {
    document = make();
    void tracker.add(document);
  }
  if (!document.isAttached) {
    shell.add(document, 'main');
  }
  shell.activateById(document.id);
  return document;
}
