/** The one fetch. */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

/** What the hub says when it refuses: a code, a sentence, the field at fault, what to do. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field: string | null = null,
    readonly remedy: string | null = null
  ) {
    super(message);
  }

  /** The sentence and what to do. */
  get text(): string {
    return this.remedy ? `${this.message} ${this.remedy}` : this.message;
  }

  /** May the same question be answered later? Something is away, or did not answer. */
  get isPassing(): boolean {
    return this.status === 0 || this.status >= 500;
  }
}

/** Whatever was thrown, as one of ours: what is none has no status. */
export function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError(0, 'error', (error as Error).message);
}

/** The JSON answer of a route below `<base>/perijove/api/`; throws ApiError. */
export async function request<T>(
  settings: ServerConnection.ISettings,
  route: string,
  init: RequestInit & { body?: string } = {}
): Promise<T> {
  const response = await send(settings, route, init);
  return (await response.json()) as T;
}

/** The text answer of a route; throws ApiError. */
export async function requestText(
  settings: ServerConnection.ISettings,
  route: string
): Promise<string> {
  return (await send(settings, route, {})).text();
}

/** The bytes that a route answers; throws ApiError. */
export async function requestBlob(
  settings: ServerConnection.ISettings,
  route: string,
  init: RequestInit & { body?: string } = {}
): Promise<Blob> {
  return (await send(settings, route, init)).blob();
}

async function send(
  settings: ServerConnection.ISettings,
  route: string,
  init: RequestInit
): Promise<Response> {
  const url = URLExt.join(settings.baseUrl, 'perijove', 'api') + '/' + route;
  let response: Response;
  try {
    response = await ServerConnection.makeRequest(url, init, settings);
  } catch {
    throw new ApiError(0, 'unreachable', 'The Jupyter server does not answer.');
  }
  if (response.ok) {
    return response;
  }
  const { status } = response;
  try {
    const { error } = await response.json();
    throw new ApiError(status, error.code, error.message, error.field, error.remedy);
  } catch (error) {
    throw error instanceof ApiError
      ? error
      : new ApiError(status, 'error', `The server answered ${status}.`);
  }
}

/** Where a job's file can be had by the browser itself. */
export function fileUrl(
  settings: ServerConnection.ISettings,
  jobId: string,
  path: string,
  download: boolean
): string {
  const route = `jobs/${jobId}/files/${URLExt.encodeParts(path)}`;
  return routeUrl(settings, route, download ? { download: '1' } : {});
}

/** Where the browser itself has the answer of a route. */
export function routeUrl(
  settings: ServerConnection.ISettings,
  route: string,
  query: Record<string, string> = {}
): string {
  const url = URLExt.join(settings.baseUrl, 'perijove/api') + '/' + route;
  const search = new URLSearchParams(query);
  if (settings.appendToken && settings.token) {
    search.set('token', settings.token);
  }
  return search.size ? `${url}?${search}` : url;
}
