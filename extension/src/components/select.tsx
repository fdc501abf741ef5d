/** A closed choice, as JupyterLab draws it: the browser's own, with the caret of the theme. */
import { caretDownEmptyIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

export function Select(props: React.ComponentProps<'select'>): React.ReactElement {
  return (
    <span className="jp-perijove-select">
      <select {...props} className={`jp-mod-styled ${props.className ?? ''}`} />
      <caretDownEmptyIcon.react tag="span" width="16px" height="16px" />
    </span>
  );
}
