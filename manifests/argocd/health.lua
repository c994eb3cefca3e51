-- Health of an ImageBuild for Argo CD: what its status says, once that is about the newest spec.
-- Goes into the ConfigMap argocd-cm: argocd-cm.yaml beside this file has it there.
local status = obj.status or {}

if status.phase == nil or status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "Waits for the ImageBuild operator to see it."}
end

-- the next step is for the person who reads this in Argo CD's page
local message = status.message or status.reason or ""
if status.failure ~= nil and status.failure.nextStep ~= nil then
  message = message .. " " .. status.failure.nextStep
end

if status.phase == "Succeeded" then
  return {status = "Healthy", message = message}
end
if status.phase == "Failed" then
  return {status = "Degraded", message = message}
end
if status.reason == "Suspended" or status.reason == "Held" then
  return {status = "Suspended", message = message}
end
return {status = "Progressing", message = message}
