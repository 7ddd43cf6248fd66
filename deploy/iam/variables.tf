variable "tenancy_ocid" {
  type        = string
  description = "The tenancy: dynamic groups live there."
  validation {
    condition     = startswith(var.tenancy_ocid, "ocid1.tenancy.")
    error_message = "tenancy_ocid is the OCID of a tenancy: ocid1.tenancy..."
  }
}

variable "instance_ocid" {
  type        = string
  description = "The one instance that ocird runs on."
  validation {
    condition     = startswith(var.instance_ocid, "ocid1.instance.")
    error_message = "instance_ocid is the OCID of an instance: ocid1.instance..."
  }
}

variable "compartment_ocids" {
  type        = set(string)
  description = "The compartments that ocird watches: those of [oci] compartments."
  validation {
    condition = length(var.compartment_ocids) > 0 && alltrue([
      for ocid in var.compartment_ocids : can(regex("^ocid1\\.(compartment|tenancy)\\.", ocid))
    ])
    error_message = "compartment_ocids holds at least one OCID of a compartment."
  }
}

variable "name" {
  type        = string
  default     = "ocird"
  description = "The name of the dynamic group and the beginning of the names of the policies."
  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_-]*$", var.name))
    error_message = "name begins with a letter and holds letters, digits, - and _ only."
  }
}

variable "deletes" {
  type        = set(string)
  default     = []
  description = "The repositories whose images ocird may delete: names, or beginnings such as \"mgh-*\". None until you arm it."
  validation {
    # Blank is never "all", and neither is a lone star.
    condition     = alltrue([for name in var.deletes : can(regex("^[a-z0-9][a-z0-9._/-]*\\*?$", name))])
    error_message = "each entry is the name of a repository, or its beginning and a star: \"mgh-*\"."
  }
}

variable "restores" {
  type        = bool
  default     = false
  description = "Whether ocird may also restore what it deleted, in the same repositories."
}

variable "token_user_ocids" {
  type        = set(string)
  default     = []
  description = "The users whose auth tokens' age ocird watches: those of [findings.auth_tokens]."
  validation {
    condition     = alltrue([for ocid in var.token_user_ocids : startswith(ocid, "ocid1.user.")])
    error_message = "token_user_ocids holds OCIDs of users: ocid1.user..."
  }
}
