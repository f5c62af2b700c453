// Organisations and who belongs to them.

package import Accounts
package import Base

extension ChatService {
    package func createOrganization(
        name: String, summary: String?, by principal: Principal
    ) async throws(ChatError) -> OrganizationView { throw Self.unbuilt }

    /// Those that the user belongs to, by name.
    package func organizations(
        offset: Int, limit: Int, for principal: Principal
    ) async throws(ChatError) -> Page<OrganizationView> { throw Self.unbuilt }

    package func organization(
        _ id: OrganizationID, for principal: Principal
    ) async throws(ChatError) -> OrganizationView { throw Self.unbuilt }

    /// By its admins. The inner `nil` of `summary` removes it.
    package func updateOrganization(
        _ id: OrganizationID, name: String?, summary: String??, by principal: Principal
    ) async throws(ChatError) -> OrganizationView { throw Self.unbuilt }

    /// By an owner; with all of its conversations.
    package func deleteOrganization(
        _ id: OrganizationID, by principal: Principal, origin: RequestOrigin
    ) async throws(ChatError) { throw Self.unbuilt }

    package func organizationMembers(
        of id: OrganizationID, offset: Int, limit: Int, for principal: Principal
    ) async throws(ChatError) -> Page<OrganizationMember> { throw Self.unbuilt }

    /// By its admins; a role below one's own, unless one is an owner.
    package func addOrganizationMember(
        _ user: UserID, to id: OrganizationID, role: MemberRole = .member, by principal: Principal
    ) async throws(ChatError) -> OrganizationMember { throw Self.unbuilt }

    package func setOrganizationRole(
        _ role: MemberRole, of user: UserID, in id: OrganizationID, by principal: Principal, origin: RequestOrigin
    ) async throws(ChatError) -> OrganizationMember { throw Self.unbuilt }

    /// By its admins, or by the member. They leave all of its conversations with it, and the calls there.
    package func removeOrganizationMember(
        _ user: UserID, from id: OrganizationID, by principal: Principal, origin: RequestOrigin
    ) async throws(ChatError) { throw Self.unbuilt }
}
