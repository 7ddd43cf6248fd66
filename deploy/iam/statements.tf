# Every statement, made of the variables alone, so that they can be read and tested without the cloud. policy.txt says the
# same for people without Terraform; `ocird doctor` names the ones that are missing.

locals {
  group = "dynamic-group ${var.name}"

  # The condition value for a name or a beginning: 'mgh-docs' or /mgh-*/.
  repositories = [for name in var.deletes : endswith(name, "*") ? "/${name}/" : "'${name}'"]

  # One statement for each compartment and name: Oracle's documents do not say how any{} nests in all{}.
  operations = { for operation in ["DeleteContainerImage", "RestoreContainerImage"] : operation => [
    for pair in setproduct(var.compartment_ocids, local.repositories) : join(" ", [
      "Allow ${local.group} to manage repos in compartment id ${pair[0]} where all {target.repo.name = ${pair[1]},",
      "request.permission = 'REPOSITORY_UPDATE', request.operation = '${operation}'}",
    ])
  ] }

  statements = {
    # Lists repositories, images and signatures (inspect); reads images and manifests (read). A list cannot be narrowed by
    # name: a condition on target.repo.name is never met by it.
    look = flatten([for compartment in var.compartment_ocids : [
      "Allow ${local.group} to inspect repos in compartment id ${compartment}",
      "Allow ${local.group} to read repos in compartment id ${compartment}",
    ]])
    # Deletes images (DeleteContainerImage) and nothing else: not repositories, not single tags.
    delete = local.operations["DeleteContainerImage"]
    # Undoes its own deletions within 48 hours (RestoreContainerImage).
    restore = var.restores ? local.operations["RestoreContainerImage"] : []
    # Sees when auth tokens of named users were made (ListAuthTokens), never the tokens.
    watch_tokens = [for user in var.token_user_ocids :
      "Allow ${local.group} to read users in tenancy where target.user.id = '${user}'"
    ]
  }
}

output "statements" {
  description = "Every statement that is in force for ocird, by what it is for."
  value       = local.statements
}
