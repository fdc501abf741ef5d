/** The hub's API: its types under short names, the one fetch and the one stream. */
import type { components } from './types';

type Schemas = components['schemas'];

export type Job = Schemas['Job'];
export type JobState = Schemas['JobState'];
export type JobFile = Schemas['JobFile'];
export type JobEvent = Schemas['JobEvent'];
export type MetricPoint = Schemas['MetricPoint'];
export type HubStatus = Schemas['HubStatus'];
export type TargetSummary = Schemas['TargetSummary'];
export type Target = Schemas['ComputeTargetInfo'];
export type TargetState = Schemas['TargetState'];
export type TargetNode = Schemas['Node'];
export type UsageSample = Schemas['UsageSample'];
export type TargetLimits = Partial<Schemas['Scale']>;
export type HostedKernel = Schemas['HostedKernel'];
export type TargetEvent = Schemas['TargetEvent'];
/** A new target: each kind has fields of its own. */
export type TargetDefinition = { name: string; kind: string } & Partial<
  | Omit<Schemas['ClusterDefinition'], 'kind'>
  | Omit<Schemas['InstanceDefinition'], 'kind'>
  | Omit<Schemas['AttachedDefinition'], 'kind'>
>;
export type PowerSchedule = Schemas['PowerSchedule'];
/** The key that a machine shows now. */
export type HostKey = Schemas['ShownKey'];
export type Environment = Schemas['EnvironmentSummary'];
export type Experiment = Schemas['Experiment'];
export type ExperimentChange = Partial<Schemas['ExperimentChange']>;
export type RunsView = Schemas['RunsView'];
export type RunColumn = Schemas['Column'];
export type RunRow = Schemas['RunRow'];
export type Run = Schemas['Run'];
export type RunStatus = RunRow['status'];
/** A question for runs; what is left out has the hub's defaults. */
export type RunSearch = Partial<Schemas['RunSearch']>;
export type RunPage = Schemas['RunPage'];
export type RunChange = Partial<Schemas['RunChange']>;
export type MetricValue = Schemas['Series']['values'][number];
export type Series = Schemas['Series'];
export type RunSeries = Schemas['RunSeries'];
export type HistoryWish = Partial<Schemas['HistoryWish']> & { run_ids: string[] };
export type Artifact = Schemas['Artifact'];
export type ArtifactPage = Schemas['ArtifactPage'];
export type ArtifactPreview = Schemas['ArtifactPreview'];
export type Lineage = Schemas['Lineage'];
export type LineageNode = Schemas['LineageNode'];
export type NotebookDiff = Schemas['NotebookDiff'];
export type RegisteredModel = Schemas['RegisteredModel'];
export type ModelAlias = Schemas['Alias'];
export type ModelVersion = Schemas['ModelVersion'];
export type ModelFacts = Schemas['ModelFacts'];
export type SignatureColumn = Schemas['SignatureColumn'];
export type ModelChange = Partial<Schemas['ModelChange']>;
/** A version to register; what is left out has the hub's defaults. */
export type NewVersion = Partial<Schemas['NewVersion']> & { name: string };
export type ModelUse = Schemas['Use'];
/** What changed in MLflow; `everything`: anything may have. */
export type TrackingChange = Schemas['TrackingChange'];
export type NotebookInspection = Schemas['NotebookInspection'];
export type NotebookParameter = Schemas['NotebookParameter'];
export type PruneReport = Schemas['PruneReport'];
export type JobDefinition = Partial<Schemas['JobDefinition']> & {
  path: string;
};

export { ApiError, asApiError, request, requestBlob, fileUrl, routeUrl } from './request';
export { EventStream, type ConnectionState } from './events';
export { Listing } from './listing';
export { Reading } from './reading';
