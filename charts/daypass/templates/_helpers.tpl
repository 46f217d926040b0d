{{/* What the programs have in common. Most take (dict "root" $ "program" NAME). */}}

{{- define "daypass.name" -}}
daypass-{{ .program }}
{{- end }}

{{- define "daypass.selector" -}}
app.kubernetes.io/name: daypass
app.kubernetes.io/component: {{ .program }}
{{- end }}

{{- define "daypass.labels" -}}
{{ include "daypass.selector" . }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* A reference made of registry and tag: (dict "root" $ "name" IMAGE). */}}
{{- define "daypass.reference" -}}
{{- $registry := required "registry is not set: give the registry that holds daypass-kube and daypass, or every image" .root.Values.registry -}}
{{ $registry }}/{{ .name }}:{{ .root.Values.tag | default .root.Chart.AppVersion }}
{{- end }}

{{/* The image of a program: its section's, or made of registry and tag. */}}
{{- define "daypass.image" -}}
{{- with (index .root.Values .section).image -}}{{ . }}{{- else -}}{{ include "daypass.reference" (dict "root" .root "name" "daypass-kube") }}{{- end -}}
{{- end }}

{{/* The image that goes into pods. */}}
{{- define "daypass.podImage" -}}
{{- with .root.Values.daypassImage -}}{{ . }}{{- else -}}{{ include "daypass.reference" (dict "root" .root "name" "daypass") }}{{- end -}}
{{- end }}

{{/* Head of a pod's spec. Service links would add variables by Services' names. */}}
{{- define "daypass.podSpec" -}}
serviceAccountName: {{ include "daypass.name" . }}
enableServiceLinks: false
priorityClassName: daypass
terminationGracePeriodSeconds: 15
nodeSelector: {kubernetes.io/os: linux}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
{{- toYaml . | nindent 0 }}
{{- end }}
{{- end }}

{{/* Replicas of a Deployment keep away from each other. */}}
{{- define "daypass.spread" -}}
topologySpreadConstraints:
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- topologyKey: {{ . }}
  maxSkew: 1
  whenUnsatisfiable: ScheduleAnyway
  labelSelector: {matchLabels: {app.kubernetes.io/name: daypass, app.kubernetes.io/component: {{ $.program }}}}
{{- end }}
{{- end }}

{{/* Head of a program's container, without args and env; "section" is the
program's part of the values. */}}
{{- define "daypass.container" -}}
name: {{ .program }}
image: {{ include "daypass.image" . | quote }}
imagePullPolicy: {{ .root.Values.imagePullPolicy }}
securityContext:
  runAsNonRoot: true
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities: {drop: [ALL]}
  seccompProfile: {type: RuntimeDefault}
{{- with (index .root.Values .section).resources }}
resources:
{{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Ports and probes of --health-listen, which is :9912. */}}
{{- define "daypass.health" -}}
readinessProbe: {httpGet: {path: /readyz, port: 9912}, periodSeconds: 2}
livenessProbe: {httpGet: {path: /healthz, port: 9912}, periodSeconds: 10, failureThreshold: 6}
{{- end }}

{{/* A variable, if its value is not empty: (dict "name" NAME "value" VALUE). */}}
{{- define "daypass.variable" -}}
{{- with .value }}
- {name: {{ $.name }}, value: {{ . | toString | quote }}}
{{- end }}
{{- end }}

{{/* Variables of what all programs know of the cluster. */}}
{{- define "daypass.clusterVariables" -}}
{{- with .root.Values.cluster }}
{{- if ne (empty .trustAnchorARN) (empty .profileARN) }}{{ fail "cluster.trustAnchorARN and cluster.profileARN belong together" }}{{ end }}
{{- include "daypass.variable" (dict "name" "DAYPASS_LOG_FORMAT" "value" $.root.Values.logFormat) | trim }}
{{- include "daypass.variable" (dict "name" "DAYPASS_CLUSTER_NAME" "value" .name) }}
{{- include "daypass.variable" (dict "name" "DAYPASS_TRUST_DOMAIN" "value" .trustDomain) }}
{{- include "daypass.variable" (dict "name" "DAYPASS_METHOD" "value" .method) }}
{{- include "daypass.variable" (dict "name" "DAYPASS_REGION" "value" .region) }}
{{- include "daypass.variable" (dict "name" "DAYPASS_TRUST_ANCHOR_ARN" "value" .trustAnchorARN) }}
{{- include "daypass.variable" (dict "name" "DAYPASS_PROFILE_ARN" "value" .profileARN) }}
{{- end }}
{{- end }}

{{/* Variables of what pods are given. */}}
{{- define "daypass.injectionVariables" -}}
{{- $signer := "" -}}
{{- with .root.Values.webhook.certificates -}}
{{- $signer = .signer | default (ternary "daypass.dev/workload" "" (and $.root.Values.signer.enabled (empty .issuer.name) (empty .secret))) -}}
{{- end -}}
- {name: DAYPASS_IMAGE, value: {{ include "daypass.podImage" . | quote }}}
{{- with .root.Values.webhook }}
- {name: DAYPASS_TOKEN_LIFE, value: {{ .tokenLifeSeconds | int64 | quote }}}
- {name: DAYPASS_REGIONAL_STS, value: {{ .regionalSTS | quote }}}
- {name: DAYPASS_AGENT, value: {{ $.root.Values.node.enabled | quote }}}
- {name: DAYPASS_AGENT_IPV6, value: {{ .agentIPv6 | quote }}}
{{- include "daypass.variable" (dict "name" "DAYPASS_CERTIFICATE_SIGNER" "value" $signer) }}
{{- include "daypass.variable" (dict "name" "DAYPASS_CERTIFICATE_ISSUER" "value" .certificates.issuer.name) }}
{{- include "daypass.variable" (dict "name" "DAYPASS_CERTIFICATE_ISSUER_KIND" "value" .certificates.issuer.kind) }}
{{- include "daypass.variable" (dict "name" "DAYPASS_CERTIFICATE_ISSUER_GROUP" "value" .certificates.issuer.group) }}
{{- include "daypass.variable" (dict "name" "DAYPASS_CERTIFICATE_SECRET" "value" .certificates.secret) }}
{{- end }}
{{- end }}

{{/* What stands beside each Deployment: a ServiceAccount, and of more than one
replica one may go at a time. */}}
{{- define "daypass.beside" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "daypass.name" . }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "daypass.labels" . | nindent 4 }}
{{- if gt (int ((index .root.Values .section).replicas | default 1)) 1 }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "daypass.name" . }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "daypass.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector: {matchLabels: {app.kubernetes.io/name: daypass, app.kubernetes.io/component: {{ .program }}}}
{{- end }}
{{- end }}

{{/* Who may speak with a program: its "ports" from anywhere (the API server and
kubelets have no labels), and it with DNS, the API server and AWS. */}}
{{- define "daypass.networkPolicy" -}}
{{- if .root.Values.networkPolicy.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "daypass.name" . }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "daypass.labels" . | nindent 4 }}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/name: daypass, app.kubernetes.io/component: {{ .program }}}}
  policyTypes: [Ingress, Egress]
  ingress:
  - ports:
    {{- range .ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
  egress:
  - ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
    - {protocol: TCP, port: 443}
    {{- range without (.root.Values.networkPolicy.apiServerPorts | toStrings) "443" }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end }}
{{- end }}

{{/* A ClusterRole's binding to the program's ServiceAccount. */}}
{{- define "daypass.clusterBinding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ include "daypass.name" . }}
  labels: {{- include "daypass.labels" . | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ include "daypass.name" . }}}
subjects: [{kind: ServiceAccount, name: {{ include "daypass.name" . }}, namespace: {{ .root.Release.Namespace }}}]
{{- end }}

{{/* A Role's binding to the program's ServiceAccount. */}}
{{- define "daypass.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ include "daypass.name" . }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "daypass.labels" . | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ include "daypass.name" . }}}
subjects: [{kind: ServiceAccount, name: {{ include "daypass.name" . }}, namespace: {{ .root.Release.Namespace }}}]
{{- end }}
