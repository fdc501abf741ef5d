/** Markdown where JupyterLab, which has a renderer of its own, is not. Nothing in it is trusted. */
import DOMPurify from 'dompurify';
// eslint-disable-next-line jupyter/prefer-lazy-imports -- the widgets are one file, outside JupyterLab
import { marked } from 'marked';
import * as React from 'react';

import { trans } from './trans';

/** What Markdown makes, and no more: no styles, no forms, no frames. */
const ALLOWED = {
  ALLOWED_TAGS: [
    ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'p', 'br', 'hr', 'blockquote', 'pre', 'code', 'kbd'],
    ...['strong', 'b', 'em', 'i', 'del', 'sub', 'sup', 'a', 'img', 'ul', 'ol', 'li'],
    ...['table', 'thead', 'tbody', 'tr', 'th', 'td']
  ],
  ALLOWED_ATTR: ['href', 'src', 'alt', 'title', 'align', 'start']
};

const purify = DOMPurify(window);
purify.addHook('afterSanitizeAttributes', element => {
  if (element.nodeName === 'A') {
    // the page stays open
    element.setAttribute('target', '_blank');
    element.setAttribute('rel', 'noopener noreferrer');
  } else if (element.nodeName === 'IMG' && !element.getAttribute('src')?.startsWith('data:')) {
    // looking at a page tells nobody else of it
    const alt = element.getAttribute('alt');
    element.replaceWith(
      alt ? trans.__('[image not loaded: %1]', alt) : trans.__('[image not loaded]')
    );
  }
});

export function Markdown({ source }: { source: string }): React.ReactElement {
  const html = React.useMemo(
    () => purify.sanitize(marked.parse(source, { async: false }), ALLOWED),
    [source]
  );
  return <div className="jp-perijove-prose" dangerouslySetInnerHTML={{ __html: html }} />;
}
