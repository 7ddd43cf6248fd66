# A dynamic group for the one instance that ocird runs on, and one policy for each purpose that is asked for. The statements
# are in statements.tf.

resource "oci_identity_dynamic_group" "ocird" {
  compartment_id = var.tenancy_ocid
  name           = var.name
  description    = "The one instance that ocird runs on"
  # By instance and not by compartment: whoever may launch instances in a compartment would get these rights.
  matching_rule = "instance.id = '${var.instance_ocid}'"
}

resource "oci_identity_policy" "ocird" {
  for_each       = { for purpose, statements in local.statements : purpose => statements if length(statements) > 0 }
  compartment_id = var.tenancy_ocid
  name           = "${var.name}-${each.key}"
  description    = "What ocird needs to ${each.key}"
  statements     = each.value
  # A statement about a group that is not there is refused.
  depends_on = [oci_identity_dynamic_group.ocird]
}
