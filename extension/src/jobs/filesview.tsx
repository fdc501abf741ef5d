/** The files a job left, with a look into them. */
import { TranslationBundle } from '@jupyterlab/translation';
import { downloadIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { fileUrl, type Job, type JobFile } from '../api';
import { bytes } from './format';
import { JobManager } from './manager';

const IMAGES = /\.(png|jpe?g|gif|svg|webp)$/i;
const PAGES = /\.html?$/i;
const TEXTS = /\.(txt|log|json|csv|tsv|md|py|ya?ml|ipynb|toml|cfg|ini|r|jl)$/i;
/** A larger text is downloaded, not shown. */
const TEXT_BYTES = 2_000_000;

export function FilesView(props: {
  job: Job;
  files: JobFile[] | null;
  manager: JobManager;
  trans: TranslationBundle;
}): React.ReactElement {
  const { job, files, manager, trans } = props;
  const [chosen, setChosen] = React.useState<JobFile | null>(null);
  if (!files) {
    return <p className="jp-perijove-hint">{trans.__('Loading…')}</p>;
  }
  if (!files.length) {
    return (
      <p className="jp-perijove-hint">
        {trans.__('No files yet. What the notebook writes to outputs/ is kept and shown here.')}
      </p>
    );
  }
  return (
    <div className="jp-perijove-files">
      <ul>
        {files.map(file => (
          <li key={file.path} className={chosen?.path === file.path ? 'jp-mod-selected' : ''}>
            <button className="jp-perijove-link" onClick={() => setChosen(file)}>
              {file.path}
            </button>
            <span className="jp-perijove-size">{bytes(file.size)}</span>
            <a
              href={fileUrl(manager.settings, job.id, file.path, true)}
              download={file.path.split('/').pop()}
              title={trans.__('Download %1', file.path)}
              aria-label={trans.__('Download %1', file.path)}
            >
              <downloadIcon.react tag="span" width="14px" height="14px" />
            </a>
          </li>
        ))}
      </ul>
      {chosen && (
        <Preview key={chosen.path} job={job} file={chosen} manager={manager} trans={trans} />
      )}
    </div>
  );
}

function Preview(props: {
  job: Job;
  file: JobFile;
  manager: JobManager;
  trans: TranslationBundle;
}): React.ReactElement {
  const { job, file, manager, trans } = props;
  const [text, setText] = React.useState<string | null>(null);
  const readable = TEXTS.test(file.path) && file.size <= TEXT_BYTES;
  React.useEffect(() => {
    if (readable) {
      manager.fileText(job.id, file.path).then(setText, error => setText(String(error.message)));
    }
  }, []);
  const url = fileUrl(manager.settings, job.id, file.path, false);
  if (IMAGES.test(file.path)) {
    return <img className="jp-perijove-preview" src={url} alt={file.path} />;
  }
  if (PAGES.test(file.path)) {
    // scripts of the page run in an origin of their own, with access to nothing here
    return (
      <iframe className="jp-perijove-preview" sandbox="allow-scripts" src={url} title={file.path} />
    );
  }
  if (readable) {
    return <pre className="jp-perijove-preview">{text ?? trans.__('Loading…')}</pre>;
  }
  return <p className="jp-perijove-hint">{trans.__('No preview. Download it to look inside.')}</p>;
}
