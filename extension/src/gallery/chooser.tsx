/** The gallery's notebooks, one to choose. */
import { Dialog, ReactWidget } from '@jupyterlab/apputils';
import * as React from 'react';

import type { IGalleryEntry } from './tokens';

export class Chooser extends ReactWidget implements Dialog.IBodyWidget<string> {
  constructor(private _entries: readonly IGalleryEntry[]) {
    super();
    this.addClass('jp-perijove-gallery');
    this._chosen = _entries[0]?.name ?? '';
  }

  getValue(): string {
    return this._chosen;
  }

  protected render(): React.JSX.Element {
    return (
      <div role="radiogroup">
        {this._entries.map(({ name, title, summary }, at) => (
          <label key={name} className="jp-perijove-gallery-entry">
            <input
              type="radio"
              name="jp-perijove-gallery"
              defaultChecked={at === 0}
              onChange={() => (this._chosen = name)}
            />
            <span className="jp-perijove-gallery-title">{title}</span>
            <span className="jp-perijove-gallery-summary">{summary}</span>
          </label>
        ))}
      </div>
    );
  }

  private _chosen: string;
}
